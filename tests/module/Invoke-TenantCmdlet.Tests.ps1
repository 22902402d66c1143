BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $endpoint = Start-Endpoint '--max-shells', '4', '--mailboxes', '200'
    $language = Start-Endpoint '--configuration', "$TestRoot/language.pssc"
    $session = Connect-Endpoint $endpoint
    $script = Connect-Endpoint $language
    . "$PSScriptRoot/RecordingHost.ps1"
}

AfterAll {
    try { Disconnect-DelegatedTenant -Name * } finally { Stop-TestServers }
}

Describe 'Invoke-TenantCmdlet' {
    It 'takes one command with parameters instead of a block' {
        (Invoke-TenantCmdlet $session -CommandName Get-Mailbox -Parameters @{ Identity = 'user00002' }).Name | Should -Be 'user00002'
        @(Invoke-TenantCmdlet -Session $session -CommandName Get-AcceptedDomain).Count | Should -Be 1
        'user00003' | Invoke-TenantCmdlet $session -CommandName Get-MailboxStatistics | ForEach-Object ItemCount | Should -Be 30
    }

    It 'stops the remote command when the pipeline breaks off above it' {
        { & { 'user00001'; throw 'from above' } | Invoke-TenantCmdlet $session { Get-Mailbox } } | Should -Throw 'from above'
        $session.Availability -eq 'Available' | Should -BeTrue
        @(Invoke-TenantCmdlet $session { Get-AcceptedDomain }).Count | Should -Be 1
    }

    It 'says why a block could not be converted' {
        Invoke-TenantCmdlet $session { Get-Mailbox | Where-Object { $_.Name } } -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].FullyQualifiedErrorId | Should -Be 'ScriptsNotAllowed'
        "$($failed[0])" | Should -Match 'no-language mode\. .*CantConvertWithScriptBlocks.* \| Where-Object \.'
        Invoke-TenantCmdlet $session { Get-Mailbox -Anr { $_.Name } } -ErrorVariable failed -ErrorAction SilentlyContinue
        "$($failed[0])" | Should -Match 'no-language mode\. .*CantConvertWithScriptBlocks.* -Filter "'
    }

    It 'hides the computer name on request' {
        (Invoke-TenantCmdlet $session { Get-AcceptedDomain } -HideComputerName).PSShowComputerName | Should -BeFalse
    }

    It 'refuses what is no session' {
        { Invoke-TenantCmdlet 'text' { Get-Mailbox } } | Should -Throw -ErrorId 'NotADelegatedTenantSession*'
        { Invoke-TenantCmdlet -Session $null -ScriptBlock { Get-Mailbox } } | Should -Throw -ErrorId 'ParameterArgumentValidationError*'
    }

    It 'refuses a session twice' {
        { Invoke-TenantCmdlet $session, $session { Get-Mailbox } } | Should -Throw -ErrorId 'RemoteRunspaceInfoHasDuplicates*'
    }

    It 'refuses a closed session, and runs in the others' {
        $closed = Connect-Endpoint $endpoint
        Disconnect-DelegatedTenant $closed
        $output = Invoke-TenantCmdlet $closed, $session { Get-AcceptedDomain } -ErrorVariable failed -ErrorAction SilentlyContinue
        @($output).Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -Be 'InvokeCommandCommandInvalidSessionState,Invoke-TenantCmdlet'
        $failed[0].Exception.GetType().Name | Should -Be 'InvalidRunspaceStateException'
        "$($failed[0])" | Should -Match "Because the session state for session $($closed.Name), $($closed.InstanceId), 127\.0\.0\.1 is not equal to Open.*Closed\.$"
    }

    It 'throws where no session is left' {
        $closed = Connect-Endpoint $endpoint
        Disconnect-DelegatedTenant $closed
        { Invoke-TenantCmdlet $closed { Get-AcceptedDomain } -ErrorAction SilentlyContinue } | Should -Throw -ErrorId 'InvalidOperation,Invoke-TenantCmdlet'
    }

    It 'opens and closes a session of its own for a URI' {
        $before = (Get-EndpointStat $endpoint).open
        $result = Invoke-TenantCmdlet -ConnectionUri $endpoint.Uri -Credential (New-TestCredential) -AllowUnencrypted -Organization one.com -ScriptBlock { Get-AcceptedDomain } -HideComputerName
        $result.Name | Should -Be 'one.com'
        (Get-EndpointStat $endpoint).open | Should -Be $before
    }

    It 'streams its input' {
        $seen = [System.Collections.Generic.List[string]]::new()
        $null = & { 'user00001'; 'user00002'; 'user00003' } | ForEach-Object { $seen.Add("in $_"); $_ } | Invoke-TenantCmdlet $session { Get-MailboxStatistics } | ForEach-Object { $seen.Add("out $($_.ItemCount)") }
        $seen.Count | Should -Be 6
        # More input than the queue between the two sides holds.
        @(1..200 | ForEach-Object { 'user{0:d5}' -f $_ } | Invoke-TenantCmdlet $session { Get-MailboxStatistics }).Count | Should -Be 200
    }

    It 'nests on one session' {
        $result = Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize 5 } -WarningAction SilentlyContinue | ForEach-Object { $name = $_.Name; Invoke-TenantCmdlet $session { Get-MailboxStatistics $using:name } }
        $result.ItemCount | Should -Be 10, 20, 30, 40, 50
    }

    It 'streams, and stops the remote command at once when downstream has enough' {
        # All of it takes a minute.
        $clock = [Diagnostics.Stopwatch]::StartNew()
        Invoke-TenantCmdlet $session { Get-Slowly -Count 600 -Milliseconds 100 } | Select-Object -First 2 | Should -Be 'item 1', 'item 2'
        $clock.Elapsed.TotalSeconds | Should -BeLessThan 30
        $session.State -eq 'Opened' | Should -BeTrue
        $session.Availability -eq 'Available' | Should -BeTrue
        Invoke-TenantCmdlet $session { Get-AcceptedDomain } | Should -Not -BeNullOrEmpty
    }

    It 'stops the remote command when the pipeline is stopped' {
        $worker = [powershell]::Create()
        $null = $worker.AddScript({ param($module, $session) Import-Module $module; Invoke-TenantCmdlet $session { Get-Slowly -Count 600 -Milliseconds 100 } }).AddArgument("$Checkout/module/DelegatedTenant/DelegatedTenant.psd1").AddArgument($session)
        $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
        $running = $worker.BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
        $clock = [Diagnostics.Stopwatch]::StartNew()
        while ($output.Count -eq 0 -and $clock.Elapsed.TotalSeconds -lt 30) { $null = $running.AsyncWaitHandle.WaitOne(20) }
        $worker.Stop()
        $worker.InvocationStateInfo.State | Should -Be 'Stopped'
        $worker.Dispose()
        $session.Availability -eq 'Available' | Should -BeTrue
        Invoke-TenantCmdlet $session { Get-AcceptedDomain } | Should -Not -BeNullOrEmpty
    }

    It 'breaks with the native identity when the server is gone' {
        $other = Start-Endpoint
        $lost = Connect-Endpoint $other
        $failed = @(Invoke-TenantCmdlet $lost { Get-Slowly -Count 100 -Milliseconds 100 } 2>&1 | ForEach-Object {
            if ($_ -eq 'item 1') { $other.Process.Kill(); $other.Process.WaitForExit() }
            if ($_ -is [System.Management.Automation.ErrorRecord]) { $_ }
        })
        $failed.Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -Match ',PSSessionStateBroken$|^JobFailure$'
        $failed[0].Exception.GetType().Name | Should -Be 'PSRemotingTransportException'
        $lost.State -eq 'Broken' | Should -BeTrue
        $lost.Availability -eq 'None' | Should -BeTrue
        Disconnect-DelegatedTenant $lost
    }

    It 'keeps what the block redirects out of the streams, and sends warnings where the caller redirects them' {
        $all = Invoke-TenantCmdlet $session { Write-AllStreams -Verbose } *>&1
        $all | ForEach-Object { $_.GetType().Name } | Should -Be 'String', 'VerboseRecord', 'WarningRecord', 'InformationRecord', 'RemotingErrorRecord', 'String'
    }

    It 'heeds the preferences of the caller' {
        $caught = & { $ErrorActionPreference = 'Stop'; try { Invoke-TenantCmdlet $session { Get-Mailbox nobody } } catch { $_ } }
        $caught.FullyQualifiedErrorId | Should -Be 'ManagementObjectNotFoundException,Get-Mailbox'
        & { $WarningPreference = 'SilentlyContinue'; Invoke-TenantCmdlet $session { Write-AllStreams } 2>$null 3>&1 6>$null } | Should -Be 'output', 'more output'
        & { $ErrorActionPreference = 'SilentlyContinue'; Invoke-TenantCmdlet $session { Write-AllStreams } 3>$null 6>$null } | Should -Be 'output', 'more output'
    }
}

Describe 'Several sessions, and jobs' {
    BeforeAll { $other = Connect-Endpoint $endpoint }
    AfterAll { Disconnect-DelegatedTenant $other }

    It 'hands on results as they come, whichever session they come from' {
        $seen = [ordered] @{}
        # Until both have spoken, which is before either is done.
        Invoke-TenantCmdlet $session, $other { Get-Slowly -Count 600 -Milliseconds 100 } | Where-Object { $seen["$($_.RunspaceId)"]++; $seen.Count -eq 2 } | Select-Object -First 1 | Should -Not -BeNullOrEmpty
        $seen[0] | Should -BeLessThan 600
        @(Invoke-TenantCmdlet $session, $other { Get-AcceptedDomain }).Count | Should -Be 2
    }

    It 'runs in as many sessions at a time as it may, and gives input to those that come later too' {
        $from = Invoke-TenantCmdlet $session, $other { Get-Slowly -Count 3 -Milliseconds 100 } -ThrottleLimit 1 | ForEach-Object { $_.RunspaceId }
        $from[0..2] | Select-Object -Unique | Should -Be $session.InstanceId
        $from[3..5] | Select-Object -Unique | Should -Be $other.InstanceId
        ('user00001', 'user00002' | Invoke-TenantCmdlet $session, $other { Get-MailboxStatistics } -ThrottleLimit 1).ItemCount | Should -Be 10, 20, 10, 20
    }

    It 'opens and closes sessions for several URIs, within the limit' {
        $before = (Get-EndpointStat $endpoint).open
        $names = Invoke-TenantCmdlet $endpoint.Uri, $endpoint.Uri, $endpoint.Uri { Get-AcceptedDomain } -Credential (New-TestCredential) -AllowUnencrypted -ThrottleLimit 1
        @($names).Count | Should -Be 3
        (Get-EndpointStat $endpoint).open | Should -Be $before
    }

    It 'does not keep PowerShell from ending once it is done' {
        $own = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
        $code = "Import-Module '$Checkout/module/DelegatedTenant/DelegatedTenant.psd1'; . '$TestRoot/TestServers.ps1'; `$s = Connect-Endpoint @{ Uri = '$($endpoint.Uri)' }; `$j = Invoke-TenantCmdlet `$s { Get-AcceptedDomain } -AsJob; (Receive-Job `$j -Wait).Name"
        # Left to itself, a pool's idle thread would have it wait for ever.
        & $own -NoProfile -NonInteractive -Command $code | Should -Not -BeNullOrEmpty
    }

    It 'returns a job at once, also where its session must be opened first or is of no use' {
        $before = (Get-EndpointStat $endpoint).open
        $job = Invoke-TenantCmdlet -ConnectionUri $endpoint.Uri -Credential (New-TestCredential) -AllowUnencrypted -Organization one.com { Get-AcceptedDomain } -AsJob
        (Receive-Job $job -Wait -AutoRemoveJob).Name | Should -Be 'one.com'
        (Get-EndpointStat $endpoint).open | Should -Be $before
        $job = Invoke-TenantCmdlet -ConnectionUri 'http://127.0.0.1:1/x' -Credential (New-TestCredential) -AllowUnencrypted { Get-AcceptedDomain } -AsJob
        $failed = $job | Wait-Job | Receive-Job 2>&1
        $job.State | Should -Be 'Failed'
        $failed.FullyQualifiedErrorId | Should -Be 'CannotConnect,PSSessionOpenFailed'
        Remove-Job $job
        $closed = Connect-Endpoint $endpoint
        Disconnect-DelegatedTenant $closed
        $job = Invoke-TenantCmdlet $closed { Get-AcceptedDomain } -AsJob
        ($job | Wait-Job | Receive-Job 2>&1).FullyQualifiedErrorId | Should -Match '^InvalidSessionState,'
        $job.State | Should -Be 'Failed'
        Remove-Job $job
    }

    It 'refuses the question of a job, and does not hang' {
        $job = Invoke-TenantCmdlet $session { Remove-Mailbox user00001 } -AsJob
        $null = Wait-Job $job -Timeout 60
        "$(Receive-Job $job 2>&1)" | Should -Match 'nobody can answer.*-AsJob'
        Remove-Job $job
        (Invoke-TenantCmdlet $session { Get-Mailbox user00001 }).Name | Should -Be 'user00001'
    }

    It 'stops those of a job that run and those that wait' {
        $job = Invoke-TenantCmdlet $session, $other { Get-Slowly -Count 600 -Milliseconds 100 } -AsJob -ThrottleLimit 1
        "$($job.ChildJobs.State)" | Should -Be 'Running NotStarted'
        Stop-Job $job
        "$($job.State) $($job.ChildJobs.State)" | Should -Be 'Stopped Stopped Stopped'
        Remove-Job $job
        $job = Invoke-TenantCmdlet $session { Get-Slowly -Count 600 -Milliseconds 100 } -AsJob
        Remove-Job $job -Force
        $session.Availability -eq 'Available' | Should -BeTrue
        @(Get-Job).Count | Should -Be 0
    }

    It 'looks like a PSSession, down to its connection' {
        $session.Runspace.ConnectionInfo.ConnectionUri.Host | Should -Be '127.0.0.1'
        $session.Runspace.ConnectionInfo.Credential.UserName | Should -Be 'admin@partner.com'
        $session.Runspace.ConnectionInfo.Credential.GetNetworkCredential().Password | Should -BeNullOrEmpty
        "$($session.Runspace.RunspaceStateInfo) $($session.ComputerType) $($session.Transport) $($session.OutputBufferingMode)" | Should -Be 'Opened RemoteMachine WSMan None'
        $session.ApplicationPrivateData.PSVersionTable.PSVersion | Should -Not -BeNullOrEmpty
        $name = $session.Name
        $session.Name = 'renamed'
        "$session" | Should -Be '[PSSession]renamed'
        $session.Name = $name
        $shown = $session | Format-Table | Out-String -Width 120
        ($shown.Trim() -split '\r?\n')[0] -split '\s+' | Should -Be 'Id', 'Name', 'Organization', 'ComputerName', 'State', 'Availability', 'Transport', 'ComputerType', 'ConfigurationName'
    }
}

Describe 'The host of the caller' {
    It 'shows every stream, in order and once' {
        $log = Invoke-Recorded 'Invoke-TenantCmdlet $s { Write-AllStreams -Verbose }' $session
        $log | Should -Be 'Write out output', 'WriteVerboseLine verbose text', 'WriteWarningLine warning text', 'Write out error text', 'Write out more output'
    }

    It 'shows progress with its numbers' {
        $log = Invoke-Recorded 'Invoke-TenantCmdlet $s { Get-Slowly -Count 2 -Milliseconds 1 -Progress }' $session
        $log | Where-Object { $_ -like 'WriteProgress 7 *' } | Select-Object -First 2 | Should -Be 'WriteProgress 7 -1 Getting slowly|1 of 2|50|Processing', 'WriteProgress 7 -1 Getting slowly|2 of 2|100|Processing'
    }

    It 'shows what -WhatIf says' {
        $log = Invoke-Recorded 'Invoke-TenantCmdlet $s { Remove-Mailbox user00001 -WhatIf }' $session
        $log | Should -Be 'WriteLine What if: Performing the operation "Removing mailbox" on target "user00001".'
    }

    It 'is asked to confirm: <Answer>' -ForEach @(@{ Answer = 0; Left = 0 }, @{ Answer = 2; Left = 1 }) {
        $name = "user0010$Answer"
        $log = Invoke-Recorded "Invoke-TenantCmdlet `$s { Remove-Mailbox $name }" $session $Answer
        @($log)[0] | Should -Match '(?s)^PromptForChoice Confirm\|Are you sure.*\|&Yes,Yes to &All,&No,No to A&ll.*\|0$'
        @(Invoke-TenantCmdlet $session { Get-Mailbox $using:name } 2>$null).Count | Should -Be $Left
    }

    It 'answers a prompt for a mandatory parameter' {
        $log = Invoke-Recorded 'Invoke-TenantCmdlet $s { Get-MailboxStatistics } | ForEach-Object ItemCount' $session 'user00004'
        $log[0] | Should -Match '\|False\|Identity\|String\|True$'
        $log[1] | Should -Be 'Write out 40'
    }

    It 'answers ReadLine' {
        Invoke-Recorded 'Invoke-TenantCmdlet $s { Read-Answer }' $session 'Søn' | Should -Be 'ReadLine', 'Write out you said Søn'
    }

    It 'answers for a secret, with a warning' {
        $log = Invoke-Recorded 'Invoke-TenantCmdlet $s { $x = $Host.UI.ReadLineAsSecureString(); [pscredential]::new("u", $x).GetNetworkCredential().Password }' $script (New-TestCredential).Password
        $log[0] | Should -Match '^WriteWarningLine .*127\.0\.0\.1'
        $log[1..2] | Should -Be 'ReadLineAsSecureString', 'Write out secret'
    }

    It 'answers for a credential, with caption and warning' {
        $log = Invoke-Recorded 'Invoke-TenantCmdlet $s { $x = $Host.UI.PromptForCredential("cap", "mes", "me", ""); $x.UserName + $x.GetNetworkCredential().Password }' $script (New-TestCredential)
        $log | Should -Be 'PromptForCredential PowerShell Credential Request: cap|True|me', 'Write out admin@partner.comsecret'
    }

    It 'answers a prompt with fields of every kind' {
        $text = 'Invoke-TenantCmdlet $s { $f = [System.Collections.ObjectModel.Collection[System.Management.Automation.Host.FieldDescription]]::new(); foreach ($t in [string], [int], [securestring]) { $d = [System.Management.Automation.Host.FieldDescription]::new($t.Name); $d.SetParameterType($t); $f.Add($d) }; $a = $Host.UI.Prompt("cap", "mes", $f); "$($a.String) $($a.Int32) $([pscredential]::new("u", $a.SecureString).GetNetworkCredential().Password)" }'
        $log = Invoke-Recorded $text $script 'word', 42, (New-TestCredential).Password
        $log | Should -Be 'Prompt cap|True|String|String|True', 'Prompt cap|True|Int32|Int32|True', 'Prompt cap|True|SecureString|SecureString|True', 'Write out word 42 secret'
    }

    It 'is written to' {
        $log = Invoke-Recorded 'Invoke-TenantCmdlet $s { $u = $Host.UI; $u.Write("a"); $u.WriteLine("b"); $u.Write("Red", "Black", "c"); $u.WriteErrorLine("d"); $u.WriteLine() }' $script
        $log | Should -Be 'Write a', 'WriteLine b', 'Write(Red) c', 'WriteErrorLine d', 'WriteLine '
    }

    It 'refuses what it cannot answer, and the command fails' {
        $log = Invoke-Recorded 'Invoke-TenantCmdlet $s { Read-Answer }' $session
        $log[0] | Should -Be 'ReadLine'
        "$log" | Should -Match 'nobody is here'
    }

    It 'keeps its screen to itself' {
        $log = Invoke-Recorded 'Invoke-TenantCmdlet $s { $Host.UI.RawUI.GetBufferContents([System.Management.Automation.Host.Rectangle]::new(0, 0, 1, 1)) }' $script
        "$log" | Should -Match 'not given|not implemented|not supported'
    }

    It 'is never waited for when it is not interactive' {
        $own = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
        $code = "Import-Module '$Checkout/module/DelegatedTenant/DelegatedTenant.psd1'; . '$TestRoot/TestServers.ps1'; `$s = Connect-Endpoint @{ Uri = '$($endpoint.Uri)' }; Invoke-TenantCmdlet `$s { Remove-Mailbox user00001 } 2>&1 | ForEach-Object { `"`$_`" }; Invoke-TenantCmdlet `$s { Read-Answer } 2>&1 | ForEach-Object { `"`$_`" }; try { Connect-DelegatedTenant '$($endpoint.Uri)' -AllowUnencrypted -Credential `$null } catch { `"asked: `$_`" }"
        $text = & $own -NoProfile -NonInteractive -Command $code
        "$text" | Should -Match 'NonInteractive mode.*NonInteractive mode.*asked: .*NonInteractive mode'
    }

    It 'leaves one error of a prompt that nobody answers' {
        $own = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
        $code = "Import-Module '$Checkout/module/DelegatedTenant/DelegatedTenant.psd1'; . '$TestRoot/TestServers.ps1'; `$s = Connect-Endpoint @{ Uri = '$($endpoint.Uri)' }; Invoke-TenantCmdlet `$s { Read-Answer } -ErrorVariable said -ErrorAction SilentlyContinue; `"`$(`$Error.Count) `$(`$said.Count)`""
        & $own -NoProfile -NonInteractive -Command $code | Should -Be '1 1'
    }
}
