BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $simulator = Start-Simulator
    $hostile = Start-Simulator '--hostile', '--cmdlets', '30'
    $endpoint = Start-Endpoint
    function Connect-Simulator($Server = $simulator) { Connect-Endpoint $Server @{ Organization = 'fabrikam.com' } }
}

AfterAll {
    try { Disconnect-DelegatedTenant -Name * } finally { Stop-TestServers }
}

Describe 'Import-DelegatedTenant' {
    BeforeAll { $session = Connect-Simulator }
    AfterAll { Disconnect-DelegatedTenant $session }
    AfterEach { Get-Module tmp_* | Remove-Module -Force }

    It 'runs the script that was written for Import-PSSession, with the verb exchanged' {
        $s = $session
        Import-DelegatedTenant $s -AllowClobber -DisableNameChecking -CommandName Get-Mailbox, Set-Mailbox -Prefix X | Out-Null
        $mailbox = @(Get-XMailbox -ResultSize 3 -WarningAction SilentlyContinue)
        $mailbox.Count | Should -Be 3
        Set-XMailbox -Identity $mailbox[0].Alias -CustomAttribute1 'checked'
        (Get-XMailbox $mailbox[0].Alias).CustomAttribute1 | Should -Be 'checked'
        Get-Command Get-Mailbox -ErrorAction Ignore | Should -BeNullOrEmpty
    }

    It 'gives a module in memory, as native' {
        $module = Import-DelegatedTenant $session -CommandName Get-Mailbox, Get-User
        $module | Should -BeOfType ([System.Management.Automation.PSModuleInfo])
        $module.Name | Should -Match '^tmp_\w{8}$'
        $module.Path | Should -Not -Match '\.psm1$'
        $module.PrivateData.ImplicitRemoting | Should -BeTrue
        $module.ExportedFunctions.Keys | Sort-Object | Should -Be 'Get-Mailbox', 'Get-User'
        (Get-Module $module.Name).Name | Should -Be $module.Name
        (Get-Command Get-Mailbox).CommandType | Should -Be 'Function'
    }

    It 'knows the parameters, switches and aliases' {
        $null = Import-DelegatedTenant $session -CommandName Get-Mailbox
        $parameters = (Get-Command Get-Mailbox).Parameters
        $parameters.Archive.SwitchParameter | Should -BeTrue
        $parameters.Identity.ParameterType | Should -Be ([object])
        $parameters.ErrorAction.Aliases | Should -Be 'ea'
        (Get-Command Get-Mailbox -Syntax) -join '' | Should -Match 'Get-Mailbox \[\[-Identity\] <Object>\].* \[-Archive\]'
        (Get-Help Get-Mailbox).Name | Should -Be 'Get-Mailbox'
    }

    It 'sends what was bound, by name and by position, with its type' {
        $null = Import-DelegatedTenant $session -CommandName Get-Mailbox, Test-Echo*, Test-Bound*
        $all = @(Get-Mailbox -ResultSize 5 -WarningAction SilentlyContinue)
        (Get-Mailbox $all[2].Alias).Alias | Should -Be $all[2].Alias
        (Get-Mailbox -Id $all[2]).Alias | Should -Be $all[2].Alias
        @(Get-Mailbox -Archive:$false -ResultSize 1 3>$null).Count | Should -Be 1
        $with = @{ Identity = $all[1].Alias }
        (Get-Mailbox @with).Alias | Should -Be $all[1].Alias
    }

    It 'hands pipeline input on while it comes' {
        $null = Import-DelegatedTenant $session -CommandName Get-Mailbox, Get-MailboxStatistics
        $found = @(Get-Mailbox -ResultSize 3 -WarningAction SilentlyContinue | Get-MailboxStatistics)
        $found.Count | Should -Be 3
        @('nobody1', 'nobody2' | Get-MailboxStatistics -ErrorAction SilentlyContinue -ErrorVariable failed).Count | Should -Be 0
        $failed.Count | Should -Be 2
    }

    It 'keeps the server''s name in the objects and out of the views' {
        $null = Import-DelegatedTenant $session -CommandName Get-Mailbox
        $mailbox = Get-Mailbox -ResultSize 1 -WarningAction SilentlyContinue
        $mailbox.PSComputerName | Should -Be '127.0.0.1'
        $mailbox.PSShowComputerName | Should -BeFalse
    }

    It 'lets the variables of the caller have what was said' {
        $null = Import-DelegatedTenant $session -CommandName Get-Mailbox
        $null = Get-Mailbox -ResultSize 1 -OutVariable out -WarningVariable warned -WarningAction SilentlyContinue
        $out.Count | Should -Be 1
        Get-Mailbox nobody -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].FullyQualifiedErrorId | Should -Match 'ManagementObjectNotFoundException'
    }

    It 'has -ErrorAction Stop stop here' {
        $null = Import-DelegatedTenant $session -CommandName Get-Mailbox
        { Get-Mailbox nobody -ErrorAction Stop } | Should -Throw -ErrorId '*ManagementObjectNotFoundException*'
        $session.Availability -eq 'Available' | Should -BeTrue
    }

    It 'heeds the preferences of the caller' {
        $null = Import-DelegatedTenant $session -CommandName Get-Mailbox
        { & { $ErrorActionPreference = 'Stop'; Get-Mailbox nobody } } | Should -Throw -ErrorId '*ManagementObjectNotFoundException*'
        & { $WarningPreference = 'SilentlyContinue'; Get-Mailbox -ResultSize 1 -WarningVariable warned; $warned.Count } 3>&1 | Should -Not -BeOfType ([System.Management.Automation.WarningRecord])
        & { $ErrorActionPreference = 'SilentlyContinue'; Get-Mailbox nobody } 2>&1 | Should -BeNullOrEmpty
    }

    It 'has -WhatIf and -Confirm act on the server' {
        $null = Import-DelegatedTenant $session -CommandName Get-Mailbox, Remove-Mailbox
        $alias = (Get-Mailbox -ResultSize 1 -WarningAction SilentlyContinue).Alias
        Remove-Mailbox $alias -WhatIf 6>$null
        (Get-Mailbox $alias).Alias | Should -Be $alias
        Remove-Mailbox -Identity $alias -Confirm:$false
        Get-Mailbox $alias -ErrorAction Ignore | Should -BeNullOrEmpty
    }

    It 'runs as a job' {
        $null = Import-DelegatedTenant $session -CommandName Get-Mailbox
        $job = Get-Mailbox -ResultSize 2 -AsJob
        $found = @($job | Wait-Job | Receive-Job -WarningAction SilentlyContinue)
        Remove-Job $job
        $found.Count | Should -Be 2
        $found[0].PSShowComputerName | Should -BeFalse
    }

    It 'works within a module, and within a script of its own' {
        $user = New-Module -AsCustomObject -ArgumentList $session -ScriptBlock {
            param($Session)
            function Get-First { $null = Import-DelegatedTenant $Session -CommandName Get-Mailbox -Prefix Inner; (Get-InnerMailbox -ResultSize 1 3>$null).Alias }
            Export-ModuleMember -Function Get-First
        }
        $user.'Get-First'() | Should -Not -BeNullOrEmpty
        Get-Command Get-InnerMailbox -ErrorAction Ignore | Should -BeNullOrEmpty
    }

    It 'shows how far it is' {
        $worker = [powershell]::Create()
        $null = $worker.AddScript({ param($module, $session) Import-Module $module; Import-DelegatedTenant $session -AllowClobber -DisableNameChecking }).AddArgument("$Checkout/module/DelegatedTenant/DelegatedTenant.psd1").AddArgument($session)
        $null = $worker.Invoke()
        $shown = @($worker.Streams.Progress | Where-Object ActivityId -eq 1905347799)
        $shown[0].Activity | Should -Be 'Creating implicit remoting module ...'
        "$($shown[-1].RecordType)" | Should -Be 'Completed'
        $worker.Streams.Error.Count | Should -Be 0
        $worker.Dispose()
    }

    It 'goes with the module DelegatedTenant' {
        $own = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
        $script = "Import-Module '$Checkout/module/DelegatedTenant/DelegatedTenant.psd1'; `$p = [securestring]::new(); 'secret'.ToCharArray() | ForEach-Object { `$p.AppendChar(`$_) }; `$s = Connect-DelegatedTenant -ConnectionUri $($simulator.Uri) -Organization fabrikam.com -AllowUnencrypted -Credential ([pscredential]::new('admin@partner.com', `$p)); `$null = Import-DelegatedTenant `$s -CommandName Get-Mailbox -FormatTypeName *; Remove-Module DelegatedTenant; ""`$(Get-Module tmp_*)|`$(Get-Command Get-Mailbox -ErrorAction Ignore)|`$(`$Error.Count)"""
        & $own -NoProfile -NonInteractive -Command $script | Should -Be '||0'
    }

    It 'stops the remote command when the pipeline has enough' {
        $null = Import-DelegatedTenant $session -CommandName Get-Mailbox
        @(Get-Mailbox -ResultSize Unlimited | Select-Object -First 2).Count | Should -Be 2
        $session.Availability -eq 'Available' | Should -BeTrue
    }

    It 'takes wildcards, types and modules' {
        (Import-DelegatedTenant $session -CommandName Get-Mailbox*, Set-Mailbox).ExportedFunctions.Count | Should -BeGreaterThan 10
        (Import-DelegatedTenant $session -Name 'Get-Use?' -CommandType Cmdlet -Module Microsoft.Exchange* -AllowClobber).ExportedFunctions.Keys | Should -Be 'Get-User'
    }

    It 'imports everything, but not what remoting itself needs' {
        $module = Import-DelegatedTenant $session -AllowClobber
        $module.ExportedFunctions.Count | Should -BeGreaterThan 750
        Get-Module $module.Name | Should -Not -BeNullOrEmpty
        $module.ExportedFunctions.Keys | Should -Not -Contain 'Select-Object'
        $module.ExportedFunctions.Keys | Should -Not -Contain 'Get-Command'
        (Get-Command Set-TransportRule).Parameters.Count | Should -BeGreaterThan 15
    }

    It 'leaves out what would hide a local command, and says so' {
        function global:Get-User { 'local' }
        try {
            $null = Import-DelegatedTenant $session -CommandName Get-User, Get-Mailbox -WarningVariable warned -WarningAction SilentlyContinue
            "$warned" | Should -Match "skipped for the following command: 'Get-User', because it would shadow"
            Get-User | Should -Be 'local'
            { Import-DelegatedTenant $session -CommandName Get-User -WarningAction SilentlyContinue } | Should -Throw -ErrorId 'ErrorNoCommandsImportedBecauseOfSkipping,Import-DelegatedTenant'
            $null = Import-DelegatedTenant $session -CommandName Get-User -AllowClobber
            (Get-Command Get-User).Source | Should -Match '^tmp_'
        }
        finally { Remove-Item function:global:Get-User -ErrorAction Ignore }
    }

    It 'says that nothing was found' {
        { Import-DelegatedTenant $session -CommandName Get-Nothing } | Should -Throw -ErrorId 'ErrorNoResultsFromRemoteEnd,Import-DelegatedTenant'
    }

    It 'says that a session is closed, or none' {
        $other = Connect-Simulator
        Disconnect-DelegatedTenant $other
        { Import-DelegatedTenant $other } | Should -Throw -ErrorId 'InvokeCommandCommandInvalidSessionState*'
        { Import-DelegatedTenant $null } | Should -Throw -ErrorId 'ParameterArgumentValidationError*'
        { Import-DelegatedTenant 'x' } | Should -Throw -ErrorId 'NotADelegatedTenantSession*'
    }

    It 'goes with its session, and with its module, and leaves the session open' {
        $other = Connect-Simulator
        $module = Import-DelegatedTenant $other -CommandName Get-Mailbox -Prefix Gone
        Remove-Module $module
        Get-Command Get-GoneMailbox -ErrorAction Ignore | Should -BeNullOrEmpty
        $other.State -eq 'Opened' | Should -BeTrue
        $module = Import-DelegatedTenant $other -CommandName Get-Mailbox -Prefix Gone
        Disconnect-DelegatedTenant $other
        Get-Command Get-GoneMailbox -ErrorAction Ignore | Should -BeNullOrEmpty
        Get-Module $module.Name | Should -BeNullOrEmpty
    }

    It 'keeps two tenants apart' {
        $other = Connect-Endpoint $simulator @{ Organization = 'contoso.com' }
        $null = Import-DelegatedTenant $session -CommandName Get-AcceptedDomain -Prefix Fabrikam
        $null = Import-DelegatedTenant $other -CommandName Get-AcceptedDomain -Prefix Contoso
        "$((Get-FabrikamAcceptedDomain).DomainName)" | Should -Match 'fabrikam'
        "$((Get-ContosoAcceptedDomain).DomainName)" | Should -Match 'contoso'
        Disconnect-DelegatedTenant $other
        Get-Command Get-FabrikamAcceptedDomain | Should -Not -BeNullOrEmpty
    }

    It 'uses the views of the server while they are wanted' {
        $other = Connect-Simulator
        $null = Import-DelegatedTenant $other -CommandName Get-Mailbox -FormatTypeName *Mailbox -Prefix Shown
        $mailbox = Get-ShownMailbox -ResultSize 1 -WarningAction SilentlyContinue
        $text = $mailbox | Out-String
        $text | Should -Match 'Name\s+Alias\s+Database'
        Disconnect-DelegatedTenant $other
        $mailbox | Out-String | Should -Not -Match 'Name\s+Alias\s+Database'
    }

    It 'writes no file' {
        $before = [IO.Directory]::GetFileSystemEntries([IO.Path]::GetTempPath(), 'tmp_*')
        $null = Import-DelegatedTenant $session -CommandName Get-Mailbox -FormatTypeName *
        [IO.Directory]::GetFileSystemEntries([IO.Path]::GetTempPath(), 'tmp_*') | Should -Be $before
    }
}

Describe 'Import-DelegatedTenant from a server that' {
    AfterEach { Disconnect-DelegatedTenant -Name * }

    It 'is hostile runs nothing of what it sends' {
        $session = Connect-Simulator $hostile
        $global:Owned = $null
        $module = Import-DelegatedTenant $session -AllowClobber -DisableNameChecking -ErrorVariable failed -ErrorAction SilentlyContinue -WarningVariable warned -WarningAction SilentlyContinue
        $module.ExportedFunctions.Keys | Should -Contain 'Get-Mailbox'
        foreach ($name in $module.ExportedFunctions.Keys) {
            $name | Should -Match '^[-.\w]+$'
            try { $null = Get-Command $name -Syntax } catch { $null = $_ }
        }
        $ids = $failed.FullyQualifiedErrorId | Sort-Object -Unique
        $ids | Should -Contain 'ErrorSkippedUnsafeCommandName,Import-DelegatedTenant'
        $ids | Should -Contain 'ErrorSkippedUnsafeParameterName,Import-DelegatedTenant'
        $ids | Should -Contain 'ErrorSkippedUnsafeAliasName,Import-DelegatedTenant'
        foreach ($name in 'T', 'U', 'V') { try { $null = & "Get-$name" 'x' 2>$null } catch { $null = $_ } }
        "$warned" | Should -Match 'not in the expected format'
        foreach ($type in 'User', 'MailUser') {
            $object = [pscustomobject]@{ Name = 'x' }
            $object.PSObject.TypeNames.Insert(0, "Deserialized.Microsoft.Exchange.Data.Directory.Management.$type")
            $null = $object | Out-String
        }
        $global:Owned | Should -BeNullOrEmpty
        Get-Command Get-Owned -ErrorAction Ignore | Should -BeNullOrEmpty
    }

    It 'tells of commands that were not asked for has them refused' {
        $session = Connect-Simulator $hostile
        $module = Import-DelegatedTenant $session -CommandName Get-Mailbox -ErrorVariable failed -ErrorAction SilentlyContinue
        $module.ExportedFunctions.Keys | Should -Be 'Get-Mailbox'
        $failed.FullyQualifiedErrorId | Sort-Object -Unique | Should -Be 'ErrorSkippedNonRequestedCommand,Import-DelegatedTenant'
    }

    It 'lacks <_> is refused, or imported without views' -ForEach 'Get-Command', 'Get-FormatData' {
        $server = Start-Simulator '--hide', $_
        $session = Connect-Simulator $server
        if ($_ -eq 'Get-Command') { { Import-DelegatedTenant $session } | Should -Throw -ErrorId 'ErrorRequiredRemoteCommandNotFound,Import-DelegatedTenant' }
        else {
            $said = @(Import-DelegatedTenant $session -AllowClobber -DisableNameChecking -Verbose 4>&1)
            $said[-1].ExportedFunctions.Count | Should -BeGreaterThan 750
            "$said" | Should -Match 'views of the server could not be imported'
            { Import-DelegatedTenant $session -FormatTypeName * } | Should -Throw -ErrorId 'ErrorRequiredRemoteCommandNotFound,Import-DelegatedTenant'
        }
    }
}

Describe 'Import-DelegatedTenant from PowerShell''s own server' {
    BeforeAll { $session = Connect-Endpoint $endpoint }
    AfterEach { Get-Module tmp_* | Remove-Module -Force }

    It 'imports its functions and runs them' {
        $module = Import-DelegatedTenant $session -CommandName Get-Mailbox, Get-User, Write-AllStreams, Get-Everything
        $module.ExportedFunctions.Count | Should -Be 4
        (Get-Command Get-Mailbox).Parameters.Identity.Aliases | Should -Be 'Alias', 'UserPrincipalName'
        @(Get-Mailbox -ResultSize 2 3>$null).Count | Should -Be 2
        (Get-Mailbox user00003).Name | Should -Be 'user00003'
        (Get-Mailbox -UserPrincipalName user00003).Name | Should -Be 'user00003'
        @('user00001', 'user00002' | Get-Mailbox).Count | Should -Be 2
        { Get-Mailbox nobody -ErrorAction Stop } | Should -Throw
        { Get-Mailbox -Nonsense 1 } | Should -Throw -ErrorId 'NamedParameterNotFound*'
        Remove-Module $module
    }

    It 'reads the views that it sends' {
        $module = Import-DelegatedTenant $session -CommandName Get-Mailbox -FormatTypeName System.Diagnostics.Process -WarningVariable warned
        $warned | Should -BeNullOrEmpty
        Remove-Module $module
    }
}
