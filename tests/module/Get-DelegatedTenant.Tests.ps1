BeforeAll {
    # A folder of its own for the ledger, for this PowerShell and its children.
    $before = $env:DT_LEDGER
    $env:DT_LEDGER = [IO.Path]::Combine([IO.Path]::GetTempPath(), "ledger-$([guid]::NewGuid())")
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $manifest = [IO.Path]::Combine($Checkout, 'module', 'DelegatedTenant', 'DelegatedTenant.psd1')
    # Without the load balancer's cookie, which a killed process takes with it.
    $tenant = Start-Simulator '--no-cookie'
    $plain = @{ ConnectionUri = $tenant.Uri; AllowUnencrypted = $true; Credential = (New-TestCredential) }

    # Another PowerShell with a session on contoso.com, once it is open.
    function Start-Other([string] $Then = 'Start-Sleep 300') {
        $own = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
        $code = ". '$TestRoot/TestServers.ps1'; Import-ModuleUnderTest; `$s = Connect-DelegatedTenant '$($tenant.Uri)' -Organization contoso.com -AllowUnencrypted -Credential (New-TestCredential) -ErrorAction Stop; [Console]::WriteLine('open'); $Then"
        $start = [Diagnostics.ProcessStartInfo]::new($own)
        foreach ($argument in '-NoProfile', '-NonInteractive', '-Command', $code) { $start.ArgumentList.Add($argument) }
        $start.RedirectStandardOutput = $start.RedirectStandardInput = $true
        $process = [Diagnostics.Process]::Start($start)
        $Started.Add($process)
        $process.StandardOutput.ReadLine() | Should -Be 'open'
        $process
    }

    # A pipeline of its own, to be stopped.
    function Start-Pipeline([string] $Script, [object[]] $Arguments) {
        $shell = [powershell]::Create()
        $null = $shell.AddScript("param(`$a, `$b) Import-Module '$manifest'; $Script")
        foreach ($one in $Arguments) { $null = $shell.AddArgument($one) }
        @{ Shell = $shell; Output = ($output = [System.Management.Automation.PSDataCollection[psobject]]::new()); Run = $shell.BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output) }
    }

    function Stop-Pipeline($Pipeline) {
        $clock = [Diagnostics.Stopwatch]::StartNew()
        $Pipeline.Shell.Stop()
        $clock.Elapsed.TotalSeconds | Should -BeLessThan 20
        $Pipeline.Shell.Dispose()
    }

    function Wait-Until([scriptblock] $Condition) {
        $clock = [Diagnostics.Stopwatch]::StartNew()
        while (-not (& $Condition)) {
            if ($clock.Elapsed.TotalSeconds -gt 60) { throw "It never came to be that $Condition." }
            [Threading.Thread]::Sleep(10)
        }
    }

    function Get-Open { (Get-SimulatorStat $tenant).open }
}

AfterAll {
    try { Disconnect-DelegatedTenant -Name * } finally {
        Stop-TestServers
        if ([IO.Directory]::Exists($env:DT_LEDGER)) { [IO.Directory]::Delete($env:DT_LEDGER, $true) }
        $env:DT_LEDGER = $before
    }
}

Describe 'Get-DelegatedTenant' -Skip:(-not $env:DT_SIM) {
    BeforeAll {
        $one = Connect-DelegatedTenant @plain -Organization fabrikam.com -Name first
        $two = Connect-DelegatedTenant @plain -Organization contoso.com -Name second
    }
    AfterAll { Disconnect-DelegatedTenant -Name * }

    It 'lists the sessions of this PowerShell, but not that of a single call' {
        Get-DelegatedTenant | ForEach-Object Name | Should -Be 'first', 'second'
        Invoke-TenantCmdlet @plain { Get-OrganizationConfig } | ForEach-Object { Get-DelegatedTenant } | ForEach-Object Name | Should -Be 'first', 'second'
        (Get-DelegatedTenant)[0] | Should -Be $one
    }

    It 'finds by number, name, instance and organization' {
        (Get-DelegatedTenant $two.Id).Name | Should -Be 'second'
        (Get-DelegatedTenant -Id $two.Id, $one.Id).Name | Should -Be 'second', 'first'
        (Get-DelegatedTenant -Name 'FIR*').Name | Should -Be 'first'
        (Get-DelegatedTenant -InstanceId $two.InstanceId).Name | Should -Be 'second'
        (Get-DelegatedTenant -Organization 'CONTOSO.com').Name | Should -Be 'second'
        (Get-DelegatedTenant -Organization *.com).Name | Should -Be 'first', 'second'
        Get-DelegatedTenant -Name 'none*' 2>&1 | Should -BeNullOrEmpty
    }

    It 'says of <Key> that it is not there' -ForEach @(
        @{ Key = 'Id'; Value = 99999; ErrorId = 'RemoteRunspaceNotAvailableForSpecifiedSessionId'; Text = 'The remote session with the session ID 99999 is not available.' }
        @{ Key = 'Name'; Value = 'nobody'; ErrorId = 'RemoteRunspaceNotAvailableForSpecifiedName'; Text = 'The remote session with the name nobody  is not available.' }
        @{ Key = 'InstanceId'; Value = [guid]::Empty; ErrorId = 'RemoteRunspaceNotAvailableForSpecifiedRunspaceId'; Text = "Remote session is not available for $([guid]::Empty)." }
        @{ Key = 'Organization'; Value = 'no.such'; ErrorId = 'RemoteRunspaceNotAvailableForSpecifiedOrganization'; Text = 'Remote session is not available for organization no.such.' }
    ) {
        $with = @{ $Key = $Value }
        Get-DelegatedTenant @with -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed[0].FullyQualifiedErrorId | Should -BeExactly "$ErrorId,Get-DelegatedTenant"
        $failed[0].Exception.Message | Should -BeExactly $Text
        $failed[0].CategoryInfo.Category | Should -Be 'InvalidArgument'
    }

    It 'lists a broken session until it is removed' {
        $third = Connect-DelegatedTenant @plain -Name third
        Set-SimulatorFault $tenant 'shell-gone@command'
        Invoke-TenantCmdlet $third { Get-Mailbox } -ErrorAction SilentlyContinue
        Wait-Until { $third.State -eq 'Broken' }
        (Get-DelegatedTenant -Name third).State -eq 'Broken' | Should -BeTrue
        Get-DelegatedTenant -Name third | Disconnect-DelegatedTenant
        Get-DelegatedTenant -Name thi* | Should -BeNullOrEmpty
        Wait-Until { (Get-Open) -eq 2 }
    }

    It 'lists what other processes have too, in one table' {
        $other = Start-Other
        $all = @(Get-DelegatedTenant -All)
        $all.Count | Should -Be 3
        $entry = $all[2]
        $entry.PSObject.TypeNames[0] | Should -Be 'DelegatedTenant.LedgerEntry'
        $entry.ProcessId | Should -Be $other.Id
        $entry.IsAlive | Should -BeTrue
        $entry.IsAbandoned | Should -BeFalse
        $entry.Account | Should -Be 'admin@partner.com'
        $entry.Organization | Should -Be 'contoso.com'
        $entry.ComputerName | Should -Be '127.0.0.1'
        $entry.ConnectionUri | Should -Match '^http://127\.0\.0\.1:\d+/'
        $entry.InstanceId | Should -BeOfType [guid]
        ([datetime]::Now - $entry.OpenedAt).TotalMinutes | Should -BeLessThan 5
        @(Get-DelegatedTenant -All -Organization fabrikam.com).Count | Should -Be 1
        # One head, two sessions, the other's.
        @(($all | Out-String -Width 200).Trim() -split "`n").Count | Should -Be 5
        ($entry | Out-String) | Should -Match 'OpenedAt'
        # An open too many says who has the others.
        Connect-DelegatedTenant @plain -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        "$($failed[0])" | Should -Match "process $($other.Id) \(pwsh\) on contoso\.com for .*WaitForSession"

        # Killed as kill -9 does it, it leaves its session, until somebody connects.
        $other.Kill()
        $other.WaitForExit()
        # Windows gives the locks of a process back some time after its end.
        $clock = [Diagnostics.Stopwatch]::StartNew()
        while ((Get-DelegatedTenant -All)[2].IsAlive -and $clock.Elapsed.TotalSeconds -lt 30) { [Threading.Thread]::Sleep(20) }
        (Get-DelegatedTenant -All)[2].IsAlive | Should -BeFalse
        Get-Open | Should -Be 3
        $third = Connect-DelegatedTenant @plain -ErrorAction Stop
        Get-Open | Should -Be 3
        @(Get-DelegatedTenant -All).Count | Should -Be 3
        Disconnect-DelegatedTenant $third
    }

    It 'gives what Disconnect-DelegatedTenant takes' {
        Get-DelegatedTenant | Disconnect-DelegatedTenant
        Get-DelegatedTenant | Should -BeNullOrEmpty
        Get-Open | Should -Be 0
        [IO.Directory]::GetFileSystemEntries($env:DT_LEDGER) | Should -BeNullOrEmpty
    }
}

Describe 'Sessions that never leak' -Skip:(-not $env:DT_SIM) {
    AfterEach { Disconnect-DelegatedTenant -Name * }

    It 'waits for a session of another process, with progress, and takes it when it is free' {
        $other = Start-Other '$null = [Console]::ReadLine(); Disconnect-DelegatedTenant $s; Start-Sleep 300'
        $mine = @(1..2 | ForEach-Object { Connect-DelegatedTenant @plain })
        $waiting = Start-Pipeline '$s = Connect-DelegatedTenant @a -WaitForSession -ErrorAction Stop; "$($s.State)"; Disconnect-DelegatedTenant $s' $plain
        Wait-Until { $waiting.Shell.Streams.Progress.Count }
        $progress = $waiting.Shell.Streams.Progress[0]
        $progress.Activity | Should -Be 'Waiting for a session of admin@partner.com'
        $progress.StatusDescription | Should -Match "this process for .*process $($other.Id) \(pwsh\) on contoso\.com"
        $other.StandardInput.WriteLine()
        $waiting.Run.AsyncWaitHandle.WaitOne(60000) | Should -BeTrue
        $waiting.Shell.Streams.Error | Should -BeNullOrEmpty
        $waiting.Output | Should -Be 'Opened'
        "$($waiting.Shell.Streams.Progress[-1].RecordType)" | Should -Be 'Completed'
        $waiting.Shell.Dispose()
        $other.Kill()
    }

    It 'lets single calls wait too' {
        $mine = @(1..3 | ForEach-Object { Connect-DelegatedTenant @plain })
        $waiting = Start-Pipeline '(Invoke-TenantCmdlet @a -WaitForSession { Get-OrganizationConfig }).Name' $plain
        Wait-Until { $waiting.Shell.Streams.Progress.Count }
        Disconnect-DelegatedTenant $mine[0]
        $waiting.Run.AsyncWaitHandle.WaitOne(60000) | Should -BeTrue
        "$($waiting.Output)" | Should -Not -BeNullOrEmpty
        $waiting.Shell.Dispose()
        Wait-Until { (Get-Open) -eq 2 }
    }

    It 'fails after its time as it would without waiting' {
        $mine = @(1..3 | ForEach-Object { Connect-DelegatedTenant @plain })
        Connect-DelegatedTenant @plain -WaitForSession -WaitTimeout 300 -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed[0].FullyQualifiedErrorId | Should -Match ',PSSessionOpenFailed$'
        "$($failed[0])" | Should -Match 'maximum number of connections allowed : 3'
    }

    It 'leaves nothing where Ctrl+C comes <When>' -ForEach @(
        @{ When = 'while it waits for a session'; Faults = @(); Full = $true; Script = 'Connect-DelegatedTenant @a -WaitForSession' }
        @{ When = 'during Create'; Faults = @('delay=600000@create'); Sign = 'create'; Script = 'Connect-DelegatedTenant @a' }
        @{ When = 'during the first Receive'; Faults = @('stall@pool'); Sign = 'pool'; Script = 'Connect-DelegatedTenant @a' }
        @{ When = 'during a single call'; Faults = @('stall@receive'); Sign = 'receive'; Script = 'Invoke-TenantCmdlet @a { Get-Mailbox }' }
        @{ When = 'while a single call opens'; Faults = @('stall@pool'); Sign = 'pool'; Script = 'Invoke-TenantCmdlet @a { Get-Mailbox }' }
        @{ When = 'during input'; Faults = @(); Sign = 'send'; Script = '& { while ($true) { "nobody"; [Threading.Thread]::Sleep(20) } } | Invoke-TenantCmdlet @a { Get-MailboxStatistics }' }
        @{ When = 'during disconnect'; Faults = @('delay=600000@delete'); Sign = 'delete'; Script = '$s = Connect-DelegatedTenant @a; Disconnect-DelegatedTenant $s' }
        @{ When = 'during a command of a session'; Faults = @('stall@receive'); Sign = 'receive'; Script = '$s = Connect-DelegatedTenant @a; try { Invoke-TenantCmdlet $s { Get-Mailbox } } finally { Disconnect-DelegatedTenant $s }' }
    ) {
        $own = Start-Simulator (@('--no-cookie') + @($Faults | ForEach-Object { '--fault', $_ }))
        $with = $plain.Clone()
        $with.ConnectionUri = $own.Uri
        $expected = 0
        if ($Full) {
            $expected = 3
            1..3 | ForEach-Object { $null = Connect-DelegatedTenant @with }
        }
        $pipeline = Start-Pipeline $Script $with
        if ($Full) { Wait-Until { $pipeline.Shell.Streams.Progress.Count } } else { Wait-Until { (Get-SimulatorStat $own).operations.$Sign } }
        Stop-Pipeline $pipeline
        # Only now is it answered what was put off until the stop.
        Clear-SimulatorFault $own
        Wait-Until { (Get-SimulatorStat $own).open -eq $expected }
        Wait-Until { @(Get-DelegatedTenant -All | Where-Object { $_.ConnectionUri -like "$($own.Uri)*" }).Count -eq $expected }
    }

    It 'closes what is open at <When>, and its ledger with it' -ForEach @(
        @{ When = 'Remove-Module'; Then = 'Remove-Module DelegatedTenant; [Console]::WriteLine(''gone''); Start-Sleep 300' }
        @{ When = 'exit'; Then = 'exit 3' }
        @{ When = 'a throw'; Then = 'throw ''away''' }
        @{ When = 'SIGTERM'; Then = '/bin/kill -TERM $PID; Start-Sleep 300' }
    ) {
        if ($When -eq 'SIGTERM' -and -not $IsLinux) { Set-ItResult -Skipped; return }
        $other = Start-Other $Then
        if ($When -eq 'Remove-Module') {
            $other.StandardOutput.ReadLine() | Should -Be 'gone'
            Get-Open | Should -Be 0
            $other.Kill()
        }
        $other.WaitForExit(60000) | Should -BeTrue
        Get-Open | Should -Be 0
        [IO.Directory]::GetFileSystemEntries($env:DT_LEDGER) | Should -BeNullOrEmpty
    }
}
