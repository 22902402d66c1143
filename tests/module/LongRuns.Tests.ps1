# Runs of hours: tokens that end, sessions that are lost between two commands, states that tell it at once.

BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest

    # A JSON Web Token that ends so many minutes from now.
    function New-TestToken([int] $Minutes, [string] $Name) {
        $part = { [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($args[0])).TrimEnd('=').Replace('+', '-').Replace('/', '_') }
        $end = [DateTimeOffset]::UtcNow.AddMinutes($Minutes).ToUnixTimeSeconds()
        (& $part '{"alg":"none"}'), (& $part ('{"exp":' + $end + ',"name":"' + $Name + '"}')), 'c2ln' -join '.'
    }

    function Wait-State($Session, [string] $State) {
        $clock = [Diagnostics.Stopwatch]::StartNew()
        while ("$($Session.State)" -ne $State) {
            if ($clock.Elapsed.TotalSeconds -gt 30) { throw "The state is $($Session.State), not $State." }
            [Threading.Thread]::Sleep(10)
        }
    }

    function Connect-Simulator($Server, [hashtable] $With = @{}) {
        if (-not $With.Organization) { $With.Organization = 'fabrikam.com' }
        Connect-DelegatedTenant -ConnectionUri $Server.Uri -AllowUnencrypted -NoProxy -Credential (New-TestCredential) -ErrorAction Stop @With
    }
}

AfterAll {
    try { Disconnect-DelegatedTenant -Name * } finally { Stop-TestServers }
}

Describe 'The state of a session' {
    AfterEach { Disconnect-DelegatedTenant -Name * }

    It 'tells without a command that <Fault> has ended it' -ForEach @(
        @{ Fault = 'shell-gone@pool' }, @{ Fault = 'broken-pool@pool' }, @{ Fault = 'token-expiry@pool' }, @{ Fault = 'hang-up@pool' }, @{ Fault = '503@pool' }
    ) {
        # An empty reply every tenth of a second, so that the pool's Receive comes again.
        $tenant = Start-Simulator '--keep-alive', '100'
        $session = Connect-Simulator $tenant
        Set-SimulatorFault $tenant $Fault
        Wait-State $session 'Broken'
        "$($session.Availability)" | Should -Be 'None'
        $null = try { Invoke-TenantCmdlet $session { Get-OrganizationConfig } -ErrorVariable failed -ErrorAction SilentlyContinue } catch { $_ }
        $failed[0].FullyQualifiedErrorId | Should -Match '^InvokeCommandCommandInvalidSessionState'
    }

    It 'tells that a session was unused for too long' {
        $tenant = Start-Simulator '--idle', '1'
        $session = Connect-Simulator $tenant
        Wait-State $session 'Broken'
    }

    It 'tells that the server was killed' {
        $tenant = Start-Simulator
        $session = Connect-Simulator $tenant
        $tenant.Process.Kill()
        Wait-State $session 'Broken'
    }
}

Describe 'Invoke-TenantCmdlet -Reconnect' {
    BeforeAll { $tenant = Start-Simulator '--keep-alive', '100' }
    AfterEach {
        Clear-SimulatorFault $tenant
        Disconnect-DelegatedTenant -Name *
    }

    It 'opens a lost session again, into the same object' {
        $session = Connect-Simulator $tenant @{ VerifyOrganization = $true; Name = 'Night' }
        $same, $first, $id = $session, $session.InstanceId, $session.Id
        $before = Get-SimulatorStat $tenant
        Set-SimulatorFault $tenant 'shell-gone@pool'
        Wait-State $session 'Broken'
        $config = Invoke-TenantCmdlet $session { Get-OrganizationConfig } -Reconnect -WarningVariable warned -WarningAction SilentlyContinue
        $config.Name | Should -Be 'fabrikam.onmicrosoft.com'
        "$($warned[0])" | Should -Match '^The session Night on fabrikam\.com was lost and has been opened again: .*was not found.* is not run again\.$'
        "$($same.State)" | Should -Be 'Opened'
        $same.InstanceId | Should -Not -Be $first
        $config.RunspaceId | Should -Be $same.InstanceId
        $same.Id | Should -Be $id
        $same.VerifiedOrganization | Should -Be 'fabrikam.onmicrosoft.com'
        (Get-DelegatedTenant -Name Night).InstanceId | Should -Be $same.InstanceId
        $after = Get-SimulatorStat $tenant
        ($after.operations.create - $before.operations.create) | Should -Be 1
        # The two questions of the verification, and the command.
        ($after.operations.command - $before.operations.command) | Should -Be 3
        # An open session is used as it is.
        $null = Invoke-TenantCmdlet $session { Get-OrganizationConfig } -Reconnect -WarningVariable warned
        $warned.Count | Should -Be 0
        (Get-SimulatorStat $tenant).operations.create | Should -Be $after.operations.create
    }

    It 'sends nothing again that may have run' {
        $session = Connect-Simulator $tenant
        $before = (Get-SimulatorStat $tenant).operations.command
        Set-SimulatorFault $tenant 'hang-up@receive'
        Invoke-TenantCmdlet $session { Get-Mailbox } -Reconnect -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed.Count | Should -Be 1
        "$($session.State)" | Should -Be 'Broken'
        (Get-SimulatorStat $tenant).operations.command - $before | Should -Be 1
        # The next one opens it again.
        @(Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize 3 } -Reconnect -WarningAction SilentlyContinue).Count | Should -Be 3
    }

    It 'says what keeps it from being opened, and tries again the next time' {
        $session = Connect-Simulator $tenant
        Set-SimulatorFault $tenant 'shell-gone@pool', '503@create'
        Wait-State $session 'Broken'
        $thrown = try { Invoke-TenantCmdlet $session { Get-Mailbox } -Reconnect -ErrorVariable failed -ErrorAction SilentlyContinue } catch { $_ }
        $thrown.Exception.Message | Should -Match '^No valid sessions'
        $failed[0].FullyQualifiedErrorId | Should -BeExactly 'CannotConnectWinRMService,PSSessionOpenFailed'
        "$($session.State)" | Should -Be 'Broken'
        @(Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize 3 } -Reconnect -WarningAction SilentlyContinue).Count | Should -Be 3
    }

    It 'leaves a session closed that was closed' {
        $session = Connect-Simulator $tenant
        Disconnect-DelegatedTenant $session
        { Invoke-TenantCmdlet $session { Get-Mailbox } -Reconnect -ErrorAction SilentlyContinue } | Should -Throw
        "$($session.State)" | Should -Be 'Closed'
    }

    It 'is the session''s own way where Connect-DelegatedTenant says so, for imported commands too' {
        $session = Connect-Simulator $tenant @{ Reconnect = $true }
        $module = Import-DelegatedTenant $session -CommandName Get-OrganizationConfig -Prefix Night
        Set-SimulatorFault $tenant 'shell-gone@pool'
        Wait-State $session 'Broken'
        { Invoke-TenantCmdlet $session { Get-OrganizationConfig } -Reconnect:$false -ErrorAction SilentlyContinue } | Should -Throw
        "$($session.State)" | Should -Be 'Broken'
        (Get-NightOrganizationConfig -WarningVariable warned -WarningAction SilentlyContinue).Name | Should -Be 'fabrikam.onmicrosoft.com'
        "$warned" | Should -Match 'was lost and has been opened again'
        # The imported commands are still the session's, and go with it.
        Disconnect-DelegatedTenant $session
        Get-Module $module.Name | Should -BeNullOrEmpty
    }

    It 'is named by the error of an imported command whose session was lost, and then does what it says' {
        $session = Connect-Simulator $tenant
        $null = Import-DelegatedTenant $session -CommandName Get-OrganizationConfig -Prefix Night
        Set-SimulatorFault $tenant 'shell-gone@pool'
        Wait-State $session 'Broken'
        $null = try { Get-NightOrganizationConfig -ErrorVariable failed -ErrorAction SilentlyContinue } catch { $_ }
        "$($failed[0])" | Should -Match 'The session state is Broken\. Invoke-TenantCmdlet -Reconnect opens it again; with (.*) each of its commands does, .* It was lost: .*not found'
        "$($failed[0])" -match 'with (\(.*?\)\.\S+ = \S+) each' | Should -BeTrue
        . ([scriptblock]::Create($Matches[1]))
        (Get-NightOrganizationConfig -WarningAction SilentlyContinue).Name | Should -Be 'fabrikam.onmicrosoft.com'
    }

    It 'keeps no secret where a script can see it' {
        $session = Connect-Simulator $tenant
        ($session | Format-List -Property * -Force | Out-String) | Should -Not -Match 'secret\b'
        $session.PSObject.Properties | ForEach-Object { "$($_.Value)" } | Should -Not -Match '^secret$'
    }
}

Describe 'Connect-DelegatedTenant -TokenCallback' {
    BeforeAll {
        $soon, $later = (New-TestToken 2 soon), (New-TestToken 90 later)
        $tenant = Start-Simulator '--token', $soon, '--token', $later, '--token', 'opaque', '--mailboxes', '200'
        $uri = "$($tenant.Uri)?BasicAuthToOAuthConversion=true"
        $plain = @{ ConnectionUri = $uri; AllowUnencrypted = $true; NoProxy = $true; ErrorAction = 'Stop' }
        $said = @{ Count = 0; Threads = @(); Sessions = @(); Answer = $later }
        $callback = {
            $said.Count++
            $said.Threads += [Threading.Thread]::CurrentThread.ManagedThreadId
            $said.Sessions += $args[0]
            $said.Answer
        }
    }
    BeforeEach { $said.Count = 0; $said.Threads = @(); $said.Sessions = @(); $said.Answer = $later }
    AfterEach { Disconnect-DelegatedTenant -Name * }

    It 'is asked when the server refuses the token at <_>, and everything comes' -ForEach 'command', 'receive', 'receive:2' {
        $session = Connect-DelegatedTenant @plain -Credential (New-TestCredential 'admin@partner.com' 'Bearer opaque') -TokenCallback $callback
        Set-SimulatorFault $tenant "401@$_"
        @(Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize Unlimited }).Count | Should -Be 200
        $said.Count | Should -Be 1
        $said.Threads[0] | Should -Be ([Threading.Thread]::CurrentThread.ManagedThreadId)
        [object]::ReferenceEquals($said.Sessions[0], $session) | Should -BeTrue
    }

    It 'is asked before a command where the token ends soon, and not where it does not' {
        $said.Answer = $soon
        $session = Connect-DelegatedTenant @plain -Credential (New-TestCredential 'admin@partner.com' "Bearer $soon") -TokenCallback { $token = & $callback; [pscredential]::new('x', (New-TestCredential x "Bearer $token").Password) }
        $said.Count | Should -Be 1
        $said.Answer = $later
        $null = Invoke-TenantCmdlet $session { Get-OrganizationConfig }
        $said.Count | Should -Be 2
        $null = Invoke-TenantCmdlet $session { Get-OrganizationConfig }
        $said.Count | Should -Be 2
    }

    It 'gives the first credential too' {
        $session = Connect-DelegatedTenant @plain -Organization fabrikam.com -TokenCallback { New-TestCredential 'admin@partner.com' "Bearer $later" }
        "$($session.State)" | Should -Be 'Opened'
        { Connect-DelegatedTenant @plain -TokenCallback { 'no account' } } | Should -Throw
    }

    It 'ends the command with an error where it gives nothing, and the session lives' {
        $session = Connect-DelegatedTenant @plain -Credential (New-TestCredential 'admin@partner.com' 'Bearer opaque') -TokenCallback $callback
        Set-SimulatorFault $tenant '401@receive'
        $said.Answer = $null
        $caught = try { Invoke-TenantCmdlet $session { Get-Mailbox } } catch { $_ }
        $caught.FullyQualifiedErrorId | Should -Match '^TokenCallbackFailed'
        $said.Answer = $later
        (Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Name | Should -Not -BeNullOrEmpty
    }

    It 'brings the token with which a lost session is opened again' {
        $session = Connect-DelegatedTenant @plain -Credential (New-TestCredential 'admin@partner.com' 'Bearer opaque') -TokenCallback $callback
        Set-SimulatorFault $tenant '401@command'
        $null = Invoke-TenantCmdlet $session { Get-OrganizationConfig }
        Set-SimulatorFault $tenant 'hang-up@receive'
        $null = Invoke-TenantCmdlet $session { Get-Mailbox } -ErrorAction SilentlyContinue
        (Invoke-TenantCmdlet $session { Get-OrganizationConfig } -Reconnect -WarningAction SilentlyContinue).Name | Should -Not -BeNullOrEmpty
        $said.Count | Should -Be 1
    }
}

Describe 'Invoke-TenantCmdlet in long lists' {
    AfterEach { Disconnect-DelegatedTenant -Name * }

    It 'tells customers apart with -IncludeOrganization, and adds nothing without' {
        $tenant = Start-Simulator
        $two = @(foreach ($name in 'fabrikam.com', 'contoso.com') { Connect-Simulator $tenant @{ Organization = $name } })
        $all = Invoke-TenantCmdlet $two { Get-Mailbox -ResultSize 2 } -IncludeOrganization -WarningAction SilentlyContinue
        $all.DelegatedOrganization | Sort-Object -Unique | Should -Be 'contoso.com', 'fabrikam.com'
        (Invoke-TenantCmdlet $two[0] { Get-Mailbox -ResultSize 1 } -WarningAction SilentlyContinue).PSObject.Properties.Name | Should -Not -Contain 'DelegatedOrganization'
    }

    It 'hands on what a service says of its delays' {
        $tenant = Start-Simulator '--micro-delay'
        $session = Connect-Simulator $tenant
        $null = Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize 2 } -WarningVariable warned -WarningAction SilentlyContinue
        "$($warned -join ' ')" | Should -Match 'Micro delay applied'
    }
}

Describe 'An open that takes longer than a second' {
    It 'is shown as progress by <_>, until it is done' -ForEach 'Connect-DelegatedTenant', 'Invoke-TenantCmdlet' {
        $tenant = Start-Simulator
        Set-SimulatorFault $tenant 'delay=60000@create'
        $with = @{ ConnectionUri = $tenant.Uri; AllowUnencrypted = $true; NoProxy = $true; Organization = 'fabrikam.com'; Credential = (New-TestCredential) }
        if ($_ -eq 'Invoke-TenantCmdlet') { $with.ScriptBlock = { Get-OrganizationConfig } }
        $shell = [powershell]::Create()
        $null = $shell.AddScript('param($module, $command, $with) Import-Module $module; (& $command @with).Name; Disconnect-DelegatedTenant -Name *').AddArgument((Get-Module DelegatedTenant).Path).AddArgument($_).AddArgument($with)
        $run = $shell.BeginInvoke()
        while (-not $shell.Streams.Progress.Count -and -not $run.IsCompleted) { [Threading.Thread]::Sleep(20) }
        Clear-SimulatorFault $tenant
        @($shell.EndInvoke($run)).Count | Should -Be 1
        $shown = @($shell.Streams.Progress | Where-Object Activity -EQ 'Opening a session on fabrikam.com')
        $shown.RecordType | Should -Be 'Processing', 'Completed'
        $shown[0].StatusDescription | Should -Be 'Signing in at 127.0.0.1'
        $shell.Dispose()
    }
}
