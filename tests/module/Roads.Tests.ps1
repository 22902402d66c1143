# One table of rows, each run on both roads of one simulated tenant: what a script sees must be the same. Where it is not, Rest says what
# the REST road gives instead, and Because why.
BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    . "$PSScriptRoot/RecordingHost.ps1"
    Import-ModuleUnderTest
    $script:Simulator = Start-Simulator '--token', 'token-of-a-test', '--mailboxes', '12'
    $script:RestUri = [uri]::new([uri] $script:Simulator.Uri, '/adminapi/beta').AbsoluteUri
    $script:Wsman = Connect-DelegatedTenant $script:Simulator.Uri -Organization fabrikam.com -Credential (New-TestCredential) -AllowUnencrypted -ErrorAction Stop
    $script:Rest = Connect-DelegatedTenant $script:RestUri -Organization fabrikam.com -AccessToken token-of-a-test -AllowUnencrypted -ErrorAction Stop

    # What a script sees of a run, a line for each thing.
    function Get-Seen($Session, $Row) {
        $user = 'nobody'
        $names = @{ Identity = 'nobody' }
        $short = @{ Ident = 'nobody' }
        $failed = $warned = $null
        $with = @{}
        if ($Row.With) { $with = $Row.With }
        $lines = try {
            $found = if ($Row.In) { $Row.In | Invoke-TenantCmdlet $Session $Row.Block -ErrorVariable failed -ErrorAction SilentlyContinue -WarningVariable warned -WarningAction SilentlyContinue @with }
            else { Invoke-TenantCmdlet $Session $Row.Block -ErrorVariable failed -ErrorAction SilentlyContinue -WarningVariable warned -WarningAction SilentlyContinue @with }
            foreach ($one in $found) {
                $shown = if ($one -is [Management.Automation.PSCustomObject] -or $one.PSObject.TypeNames[0] -like 'Deserialized.*') { @($one.PSObject.TypeNames[0]) + @(foreach ($name in 'Name', 'DisplayName', 'PrimarySmtpAddress', 'Count') { if ($one.PSObject.Properties[$name]) { "$name=$($one.$name)" } }) -join ' ' } else { "$($one.GetType().Name) $one" }
                $notes = @(foreach ($name in 'PSComputerName', 'RunspaceId', 'PSShowComputerName') { [bool] $one.PSObject.Properties[$name] }) -notcontains $false
                "output $shown $notes"
            }
        }
        catch { "thrown $($_.FullyQualifiedErrorId)" }
        $lines
        foreach ($one in $failed) {
            if ($one -isnot [Management.Automation.ErrorRecord]) { continue }
            "error $($one.CategoryInfo.Reason) $($one.CategoryInfo.Activity) $($one.OriginInfo.PSComputerName)"
            # What is wrong with the command is told in the engine's own words.
            if ($one.CategoryInfo.Reason -like 'ParameterBinding*') { "$($one.CategoryInfo.Category) $($one.FullyQualifiedErrorId): $one" }
        }
        foreach ($one in $warned) { "warning $one" }
    }
}
AfterAll {
    $script:Wsman, $script:Rest | Disconnect-DelegatedTenant
    Stop-TestServers
}

$rows = @(
    @{ Name = 'objects'; Block = { Get-Mailbox -ResultSize 3 } }
    @{ Name = 'every object'; Block = { Get-Mailbox -ResultSize Unlimited } }
    @{ Name = 'one object by position'; Block = { Get-AcceptedDomain fabrikam.com } }
    @{ Name = 'selected properties'; Block = { Get-Mailbox -ResultSize 2 | Select-Object -Property DisplayName, PrimarySmtpAddress } }
    @{ Name = 'an expanded property'; Block = { Get-Mailbox -ResultSize 2 | Select-Object -ExpandProperty PrimarySmtpAddress } }
    @{ Name = 'the first of many'; Block = { Get-Mailbox | Select-Object -First 2 } }
    @{ Name = 'a measure'; Block = { Get-Mailbox | Measure-Object } }
    @{ Name = 'a pipeline of cmdlets'; Block = { Get-Mailbox -ResultSize 3 | Get-MailboxStatistics } }
    @{ Name = 'two statements'; Block = { Get-AcceptedDomain; Get-OrganizationConfig } }
    @{ Name = '$using: and a splat'; Block = { Get-Mailbox @using:names; Get-Mailbox $using:user } }
    @{ Name = 'pipeline input'; Block = { Get-Mailbox }; In = 'nobody', 'nobody2' }
    @{ Name = 'an error silenced in the block'; Block = { Get-Mailbox nobody -ErrorAction SilentlyContinue } }
    @{ Name = 'a warning silenced in the block'; Block = { Get-Mailbox -ResultSize 2 -WarningAction SilentlyContinue } }
    @{ Name = 'a script'; Block = { $x = 1; $x } }
    @{ Name = 'a command of the engine'; Block = { Get-Mailbox | Sort-Object } }
    @{ Name = 'a removal that is sure'; Block = { Remove-Mailbox nobody -Confirm:$false } }
    @{ Name = 'abbreviated names'; Block = { Get-Mailbox -Res 3; Get-Mailbox -Ident nobody; Get-Mailbox -Res 4 | Select-Object -Exp PrimarySmtpAddress -F 2 } }
    @{ Name = 'an abbreviation in a splat'; Block = { Get-Mailbox @using:short } }
    @{ Name = 'an alias of a parameter'; Block = { New-Mailbox name -UserPrincipalName a@b -Password $null } }
    @{ Name = 'a name that is two parameters'' beginning'; Block = { Get-Mailbox -A x } }
    @{ Name = 'a name that is two common parameters'' beginning'; Block = { Get-Mailbox -Err x } }
    @{ Name = 'a name of no parameter'; Block = { Set-Mailbox nobody -Nonesuch x } }
    @{ Name = 'a parameter without its value'; Block = { Get-Mailbox -Anr } }
    @{ Name = 'a parameter twice'; Block = { Get-Mailbox -Identity a -Ident b } }
    @{ Name = 'a value too many'; Block = { Get-Mailbox a b } }
    @{ Name = 'values by position'; Block = { Test-Slow 2 1 } }
    @{ Name = 'a switch that few know'; Block = { Get-MailboxStatistics -IncludeMoveHistory nobody; Test-Failure -Terminating no } }
    @{ Name = 'a switch off'; Block = { Get-Mailbox -Archive:$false -ResultSize 1 } }
    @{ Name = '-WhatIf where there is none'; Block = { Get-Mailbox -WhatIf } }
    @{ Name = 'an error in the second of a pipeline'; Block = { Get-Mailbox -ResultSize 1 | Get-MailboxStatistics -Nonesuch } }
    @{ Name = 'objects changed as they come'; Block = { Get-Mailbox -ResultSize 12 | Set-Mailbox -CustomAttribute2 y; Get-Mailbox -Filter "CustomAttribute2 -eq 'y'" } }
    @{ Name = 'rows piped in by property name'; Block = { Get-Mailbox -ResultSize 1 }; In = [pscustomobject] @{ Identity = 'nobody'; Color = 'red' }, [pscustomobject] @{ identity = 'nobody2' } }
    @{ Name = 'rows that change something'; Block = { Set-Mailbox -Office x }; In = [pscustomobject] @{ Identity = 'nobody'; Office = 'y' } }
    @{ Name = 'rows without a name'; Block = { Remove-Mailbox -Confirm:$false }; In = @(, [pscustomobject] @{ Name = 'nobody' }) }
    @{ Name = 'rows for a cmdlet that takes properties alone'; Block = { Add-MailboxPermission -User u -AccessRights FullAccess }; In = [pscustomobject] @{ Identity = 'nobody' }, 'nobody' }
    @{ Name = 'input for what takes none'; Block = { Get-OrganizationConfig }; In = 'x', 'y' }
    @{ Name = 'no such cmdlet'; Block = { Get-Nothing }; Rest = 'error Exception Get-Nothing 127.0.0.1', 'error *Get-Nothing*'; Because = 'the service answers 403 to what it does not know and to what a role does not show, alike' }
)

Describe 'Both roads' {
    It 'give the same: <Name>' -TestCases $rows {
        param($Name, $Block, $In, $With, $Rest, $Because)
        $row = @{ Block = $Block; In = $In; With = $With }
        $seen = @(Get-Seen $script:Rest $row)
        if ($Because) { $seen[0] | Should -BeLike $Rest[1] }
        else { ($seen -join "`n") | Should -Be (@(Get-Seen $script:Wsman $row) -join "`n") }
    }
    It 'leave the session usable when the pipeline has enough' {
        foreach ($session in $script:Wsman, $script:Rest) {
            @(Invoke-TenantCmdlet $session { Test-Slow -Count 5 -Milliseconds 20 } | Select-Object -First 1).Count | Should -Be 1
            @(Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Count | Should -Be 1
            "$($session.Availability)" | Should -Be 'Available'
        }
    }
    It 'ask and tell the same: <Text>' -TestCases @(
        @{ Text = 'Remove-MailboxPermission $using:first -User u'; Answers = 2 }
        @{ Text = 'Remove-MailboxPermission $using:first -User u'; Answers = 0 }
        @{ Text = 'Set-Mailbox $using:first -Office x -Conf'; Answers = 2 }
        @{ Text = 'Set-Mailbox $using:first -Office x -WhatIf'; Answers = @() }
        @{ Text = 'Get-Mailbox -ResultSize 3 -WarningAction SilentlyContinue | Remove-MailboxPermission -User u'; Answers = 0, 1 }
        @{ Text = 'Get-Mailbox -ResultSize 3 -WarningAction SilentlyContinue | Remove-MailboxPermission -User u'; Answers = 2, 3 }
        @{ Text = 'Get-Mailbox -ResultSize 2 -WarningAction SilentlyContinue | Set-Mailbox -Office x -What'; Answers = @() }
        @{ Text = 'Test-Mandatory'; Answers = 'a', 5 }
        @{ Text = 'Test-Mandatory -Second 5'; Answers = 'a' }
        @{ Text = 'Test-Mandatory'; Answers = '', 5 }
        @{ Text = 'Get-Mailbox -ResultSize 2 | Remove-MailboxPermission -Confirm:$false'; Answers = 'u' }
        @{ Text = 'Get-Mailbox -ResultSize 2 | Get-MailboxStatistics'; Answers = @() }
    ) {
        param($Text, $Answers)
        $logs = foreach ($session in $script:Wsman, $script:Rest) {
            (Invoke-Recorded "`$first = (Invoke-TenantCmdlet `$s { Get-Mailbox -ResultSize 1 } -WarningAction SilentlyContinue).Alias; Invoke-TenantCmdlet `$s { $Text }" $session $Answers) -join "`n"
        }
        $logs[0] | Should -Not -BeNullOrEmpty
        $logs[1] | Should -Be $logs[0]
    }
    It 'say what is missing where nobody gives it' {
        # On the other road the server tells what its host told it; here it is as with the functions of Microsoft's module, which are local.
        foreach ($text in 'New-Mailbox', 'New-Mailbox -Name x') {
            $log = Invoke-Recorded "try { Invoke-TenantCmdlet `$s { $text } -ErrorAction Stop } catch { `"`$(`$_.FullyQualifiedErrorId) `$(`$_.CategoryInfo): `$_`" }" $script:Rest
            $log[-1] | Should -BeLike 'Write out MissingMandatoryParameter,New-Mailbox InvalidArgument: (:) `[New-Mailbox`], ParameterBindingException: Cannot process command because of one or more missing mandatory parameters:*Password.'
        }
    }
    It 'take a secret that is asked for' {
        foreach ($session in $script:Wsman, $script:Rest) {
            (Invoke-Recorded 'Invoke-TenantCmdlet $s { New-Mailbox } | ForEach-Object Alias' $session 'asked', (New-TestCredential x 'long enough').Password)[-1] | Should -Be 'Write out asked'
            Invoke-TenantCmdlet $session { Remove-Mailbox asked -Confirm:$false }
        }
    }
    It 'stop with the caller, as early as he likes' {
        foreach ($session in @($script:Wsman, $script:Rest) * 5) {
            $worker = [powershell]::Create()
            $null = $worker.AddScript({ param($module, $session) Import-Module $module; Invoke-TenantCmdlet $session { Test-Slow -Count 3 -Milliseconds 60000 } }).AddArgument("$Checkout/module/DelegatedTenant/DelegatedTenant.psd1").AddArgument($session)
            $running = $worker.BeginInvoke()
            while ("$($session.Availability)" -ne 'Busy' -and -not $running.IsCompleted) { $null = $running.AsyncWaitHandle.WaitOne(5) }
            $worker.Stop()
            "$($worker.InvocationStateInfo.State) $($worker.Streams.Error.Count) $($session.Availability)" | Should -Be 'Stopped 0 Available'
            $worker.Dispose()
            @(Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Count | Should -Be 1
        }
    }
    It 'show the same session but for its road' {
        foreach ($name in 'State', 'Availability', 'Organization', 'ComputerName', 'ConfigurationName') { "$($script:Rest.$name)" | Should -Be "$($script:Wsman.$name)" }
        $script:Rest.Transport | Should -Be 'REST'
        $script:Wsman.Transport | Should -Be 'WSMan'
    }
}

Describe 'Import-DelegatedTenant' {
    BeforeAll {
        $script:OnWsman = Import-DelegatedTenant $script:Wsman -Prefix Ws -DisableNameChecking -CommandName *-Mailbox, *-MailboxStatistics, *-MailboxPermission, Test-Failure
        $script:OnRest = Import-DelegatedTenant $script:Rest -Prefix Rest -DisableNameChecking -CommandName *-Mailbox, *-MailboxStatistics, *-MailboxPermission, Test-Failure
        $script:First = (Invoke-TenantCmdlet $script:Rest { Get-Mailbox -ResultSize 1 } -WarningAction SilentlyContinue).Alias
    }
    It 'gives the same commands with the same switches and aliases on both roads' {
        $shown = foreach ($module in $script:OnWsman, $script:OnRest) {
            $lines = foreach ($command in $module.ExportedFunctions.Values) {
                $own = @($command.Parameters.Values | Where-Object { $_.Name -ne 'ProgressAction' } | ForEach-Object { "$($_.Name) $($_.SwitchParameter) $($_.Aliases -join ',')" } | Sort-Object)
                "$($command.Name -replace '-(Ws|Rest)', '-') $($own -join '; ')"
            }
            ($lines | Sort-Object) -join "`n"
        }
        $shown[0] | Should -Match 'Remove-Mailbox .*WhatIf True wi'
        $shown[1] | Should -Be $shown[0]
    }
    It 'runs them: by position, by abbreviated names, with switches, in pipelines' {
        (Get-RestMailbox $script:First).Alias | Should -Be $script:First
        @(Get-RestMailbox -Res 3 -Arch:$false -WarningAction SilentlyContinue).Count | Should -Be 3
        @(Get-RestMailbox -Res 3 -WarningAction SilentlyContinue | Get-RestMailboxStatistics -WarningAction SilentlyContinue).Count | Should -Be (@(Get-WsMailbox -Res 3 -WarningAction SilentlyContinue | Get-WsMailboxStatistics -WarningAction SilentlyContinue).Count)
        Get-RestMailbox -ResultSize 2 -WarningAction SilentlyContinue | Set-RestMailbox -CustomAttribute1 'by rest'
        @(Get-WsMailbox -Filter "CustomAttribute1 -eq 'by rest'").Count | Should -Be 2
        'nobody1', 'nobody2' | Get-RestMailbox -ErrorAction SilentlyContinue -ErrorVariable failed
        @($failed | Where-Object { $_.CategoryInfo.Reason -eq 'ManagementObjectNotFoundException' }).Count | Should -Be 2
        { Get-RestMailbox nobody -ErrorAction Stop } | Should -Throw -ErrorId '*Write-ErrorMessage'
        { Test-RestFailure -Terminating 'so be it' -ErrorAction Stop } | Should -Throw 'so be it'
    }
    It 'has -WhatIf and -Confirm ask the service' {
        Set-RestMailbox $script:First -Office 'not set' -WhatIf 6>$null
        (Get-WsMailbox $script:First).Office | Should -Not -Be 'not set'
        New-RestMailbox gone -Password (New-TestCredential x 'long enough').Password | Should -Not -BeNullOrEmpty
        Remove-RestMailbox gone -WhatIf 6>$null
        @(Get-RestMailbox gone).Count | Should -Be 1
        Remove-RestMailbox gone -Confirm:$false
        Get-WsMailbox gone -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
    }
    It 'brings the whole service' {
        $module = Import-DelegatedTenant $script:Rest -Prefix All -DisableNameChecking
        $module.ExportedFunctions.Count | Should -BeGreaterThan 700
        (Get-Command Set-AllTransportRule).Parameters.Confirm.SwitchParameter | Should -BeTrue
        Remove-Module $module
    }
}

Describe 'Connect-DelegatedTenant on the REST road' {
    It 'takes a token as the password' {
        $session = Connect-DelegatedTenant $script:RestUri -Organization fabrikam.com -Credential (New-TestCredential 'any@partner.com' 'Bearer token-of-a-test') -AllowUnencrypted -ErrorAction Stop
        @(Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Count | Should -Be 1
        Disconnect-DelegatedTenant $session
    }
    It 'redeems a partner''s refresh token for the customer' {
        # Text, as scripts hold it; the next Describe gives SecureStrings.
        $app = @{ AppId = '11111111-2222-3333-4444-555555555555'; AzureADAuthorizationEndpointUri = [uri]::new([uri] $script:Simulator.Uri, '/'); Organization = 'fabrikam.com'; AllowUnencrypted = $true; ErrorAction = 'Stop' }
        $session = Connect-DelegatedTenant $script:RestUri @app -ClientSecret app-secret -RefreshToken partner-refresh-token
        @(Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize 2 } -WarningAction SilentlyContinue).Count | Should -Be 2
        Disconnect-DelegatedTenant $session
        (Invoke-TenantCmdlet $script:RestUri { Get-OrganizationConfig } @app -ClientSecret app-secret).Name | Should -Be 'fabrikam.onmicrosoft.com'
        Test-DelegatedTenant $script:RestUri @app -ClientSecret app-secret -RefreshToken partner-refresh-token -Quiet | Should -BeTrue
        # What is no secret is told before anything is sent, and does not lead to another way to sign in.
        $before = (Get-SimulatorStat $script:Simulator).requests
        foreach ($command in 'Connect-DelegatedTenant', 'Test-DelegatedTenant') {
            { & $command $script:RestUri @app -ClientSecret (New-TestCredential x app-secret) } | Should -Throw '-ClientSecret takes a text or a SecureString, not a System.Management.Automation.PSCredential.' -ErrorId "SecretNotUsable,$command"
            foreach ($nothing in $null, '') { { & $command $script:RestUri @app -RefreshToken $nothing } | Should -Throw -ErrorId "ParameterArgumentValidationError,$command" }
            { & $command $script:RestUri @app -ClientSecret ([securestring]::new()) } | Should -Throw '-ClientSecret is empty.'
        }
        (Get-SimulatorStat $script:Simulator).requests | Should -Be $before
    }
    It 'goes to Security & Compliance by the address that Connect-IPPSSession has' {
        # By Microsoft's names, through a proxy that is the simulated tenant: it takes tokens for that address alone there.
        $session = Connect-DelegatedTenant http://ps.compliance.protection.outlook.com/powershell-liveid/ -Organization fabrikam.com -AppId 11111111-2222-3333-4444-555555555555 -ClientSecret app-secret -AzureADAuthorizationEndpointUri http://localhost/organizations -Proxy ([uri]::new([uri] $script:Simulator.Uri, '/')) -AllowUnencrypted -ErrorAction Stop
        $session.ComputerName, $session.Transport | Should -Be 'ps.compliance.protection.outlook.com', 'REST'
        (Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Name | Should -Be 'fabrikam.onmicrosoft.com'
        Disconnect-DelegatedTenant $session
    }
    It 'tells what is wrong with a token' {
        $failed = $null
        Connect-DelegatedTenant $script:RestUri -Organization fabrikam.com -AccessToken wrong -AllowUnencrypted -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed[0].FullyQualifiedErrorId | Should -Be 'AuthenticationFailed,PSSessionOpenFailed'
        "$($failed[0])" | Should -Not -BeLike '*wrong*'
    }
}

Describe 'Invoke-TenantCmdlet with a session of its own, on the REST road' {
    BeforeAll {
        $signIn = @{
            Organization = 'fabrikam.com'; AppId = '11111111-2222-3333-4444-555555555555'; AllowUnencrypted = $true
            ClientSecret = (New-TestCredential 'x' 'app-secret').Password; RefreshToken = (New-TestCredential 'x' 'partner-refresh-token').Password
            AzureADAuthorizationEndpointUri = [uri]::new([uri] $script:Simulator.Uri, '/')
        }
    }
    It 'signs in as Connect-DelegatedTenant does' {
        (Invoke-TenantCmdlet $script:RestUri { Get-OrganizationConfig } @signIn -VerifyOrganization).Name | Should -Be 'fabrikam.onmicrosoft.com'
        @('nobody', 'nobody2' | Invoke-TenantCmdlet -ConnectionUri $script:RestUri -ScriptBlock { Get-Mailbox } @signIn -ErrorVariable failed -ErrorAction SilentlyContinue).Count | Should -Be 0
        $failed.Count | Should -Be 2
    }
    It 'does so in a job' {
        $job = Invoke-TenantCmdlet $script:RestUri { Get-OrganizationConfig } @signIn -AsJob
        ($job | Wait-Job | Receive-Job).Name | Should -Be 'fabrikam.onmicrosoft.com'
        Remove-Job $job
    }
    It 'takes the first token from TokenCallback' {
        $found = Invoke-TenantCmdlet $script:RestUri { Get-OrganizationConfig } -Organization fabrikam.com -AllowUnencrypted -TokenCallback { New-TestCredential 'any@partner.com' 'Bearer token-of-a-test' }
        $found.Name | Should -Be 'fabrikam.onmicrosoft.com'
    }
    It 'goes to Exchange Online where an organization is named and no address' {
        # It does not get there: the proxy is none.
        $without = @{ Organization = 'fabrikam.com'; AccessToken = 'x'; Proxy = 'http://127.0.0.1:9'; ErrorAction = 'SilentlyContinue' }
        Invoke-TenantCmdlet -ScriptBlock { Get-OrganizationConfig } @without -ErrorVariable failed
        "$($failed[0])" | Should -Match '^\[outlook\.office365\.com\]'
        $job = Invoke-TenantCmdlet -ScriptBlock { Get-OrganizationConfig } @without -AsJob
        "$(($job | Wait-Job).Location) $($job.State)" | Should -Be 'Exchange Online Failed'
        Remove-Job $job
        $steps = Test-DelegatedTenant @without
        ($steps | Where-Object Result -EQ Failed).Step | Should -Be 'TCP'
    }
    It 'runs nothing where nothing says in which session' {
        { Invoke-TenantCmdlet -ScriptBlock { Get-Mailbox } -AccessToken x } | Should -Throw -ErrorId 'SessionNotNamed,Invoke-TenantCmdlet'
        { Invoke-TenantCmdlet -FilePath $PSCommandPath } | Should -Throw -ErrorId 'SessionNotNamed,Invoke-TenantCmdlet'
    }
}

# What the README promises of errors at the open.
Describe 'An open on the REST road that fails' {
    It 'is told as the README has it: <Says>' -ForEach @(
        @{ Id = 'AuthenticationFailed'; Fault = 'aadsts=7000215@token'; Says = 'AADSTS7000215' }
        @{ Id = 'AuthenticationFailed'; Fault = 'aadsts=50076@token'; Says = 'AADSTS50076' }
        @{ Id = 'AuthenticationFailed'; Fault = 'aadsts=700016@token'; Says = 'AADSTS700016' }
        @{ Id = 'AuthenticationFailed'; With = @{ AccessToken = 'of-another-organization' }; Says = 'expired or is not taken' }
        @{ Id = 'DelegatedAccessDenied'; Fault = 'aadsts=65001@token'; Says = 'AADSTS65001' }
        @{ Id = 'DelegatedAccessDenied'; Fault = 'aadsts=50020@token'; Says = 'AADSTS50020' }
        @{ Id = 'DelegatedAccessDenied'; Fault = '403@module'; Says = 'no role in this organization' }
        @{ Id = 'TenantNotFound'; With = @{ Organization = 'nowhere.example' }; Says = 'AADSTS90002' }
        @{ Id = 'ServiceThrottled'; Fault = 'throttled=3600@module'; Says = 'too many requests' }
    ) {
        # The authority's refusals come first: a token that it gives would serve the next.
        $opening = @{
            ConnectionUri = $script:RestUri; Organization = 'contoso.com'; AllowUnencrypted = $true; AzureADAuthorizationEndpointUri = [uri]::new([uri] $script:Simulator.Uri, '/')
            AppId = '11111111-2222-3333-4444-555555555555'; ClientSecret = (New-TestCredential x 'app-secret').Password
        }
        if ($With) { foreach ($key in $With.Keys) { $opening[$key] = $With[$key] } }
        if ($Fault) { Set-SimulatorFault $script:Simulator $Fault }
        Connect-DelegatedTenant @opening -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed[0].FullyQualifiedErrorId | Should -Be "$Id,PSSessionOpenFailed"
        "$($failed[0])" | Should -Match ([regex]::Escape($Says))
        # A sentence each: what it is, and what to do.
        "$($failed[0])" | Should -Match '\w\)?\. [A-Z].*\.$'
        [IO.File]::ReadAllText([IO.Path]::Combine($Checkout, 'README.md')) | Should -Match ('\| `' + $Id + '…`, "?' + [regex]::Escape($Says) + '"? \|')
    }
}
