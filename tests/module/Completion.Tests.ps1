BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $simulator = Start-Simulator
    # Completion looks variables up where the prompt is.
    $global:CompletionSession = Connect-Endpoint $simulator @{ Organization = 'fabrikam.com'; Name = 'fabrikam' }
    function Get-Completion([string] $Line) {
        $found = [System.Management.Automation.CommandCompletion]::CompleteInput($Line, $Line.Length, $null)
        foreach ($match in $found.CompletionMatches) { $match.CompletionText }
    }
}

AfterAll {
    try { Disconnect-DelegatedTenant -Name * } finally { Stop-TestServers; Remove-Variable CompletionSession -Scope Global }
}

Describe 'Tab completion' {
    It 'completes remote commands, by the session that was typed or the only one' {
        foreach ($line in 'Invoke-TenantCmdlet -Session $CompletionSession -CommandName Get-MailboxSt', 'Invoke-TenantCmdlet $CompletionSession -CommandName Get-MailboxSt', 'Import-DelegatedTenant $CompletionSession -CommandName Get-MailboxSt', 'Invoke-TenantCmdlet -CommandName Get-MailboxSt') {
            Get-Completion $line | Should -Be 'Get-MailboxStatistics'
        }
        @(Get-Completion 'Invoke-TenantCmdlet $CompletionSession -CommandName Set-').Count | Should -BeGreaterThan 100
    }

    It 'asks once for what one answer tells' {
        $null = Get-Completion 'Invoke-TenantCmdlet $CompletionSession -CommandName New-'
        $before = (Get-SimulatorStat $simulator).operations.command
        Get-Completion 'Invoke-TenantCmdlet $CompletionSession -CommandName New-Mailb' | Should -Contain 'New-Mailbox'
        (Get-SimulatorStat $simulator).operations.command | Should -Be $before
    }

    It 'completes the parameters of the command' {
        $found = Get-Completion 'Invoke-TenantCmdlet $CompletionSession -CommandName Get-Mailbox -Parameters '
        $found | Should -Contain '@{ Identity = '
        $found | Should -Contain '@{ Archive = $true'
    }

    It 'completes the names and numbers of sessions' {
        Get-Completion 'Disconnect-DelegatedTenant -Name fab' | Should -Be 'fabrikam'
        Get-Completion 'Get-DelegatedTenant -Name fab' | Should -Be 'fabrikam'
        Get-Completion 'Disconnect-DelegatedTenant -Id ' | Should -Be "$($CompletionSession.Id)"
    }

    It 'completes imported commands and their parameters within a block' {
        $module = Import-DelegatedTenant $CompletionSession -CommandName Get-MailboxStatistics -AllowClobber
        Get-Completion 'Invoke-TenantCmdlet $CompletionSession { Get-MailboxStat' | Should -Be 'Get-MailboxStatistics'
        Get-Completion 'Invoke-TenantCmdlet $CompletionSession { Get-MailboxStatistics -Ident' | Should -Be '-Identity'
        Remove-Module $module
    }

    It 'asks nothing while a command runs, writes no error, and leaves the session as it was' {
        $count = $global:Error.Count
        $seen = Invoke-TenantCmdlet $CompletionSession { Get-Mailbox -ResultSize 2 } -WarningAction SilentlyContinue | ForEach-Object { (Get-Completion 'Invoke-TenantCmdlet $CompletionSession -CommandName Test-Zz') }
        $seen | Should -BeNullOrEmpty
        $null = Get-Completion 'Invoke-TenantCmdlet $nothing -CommandName Get-'
        $null = Get-Completion 'Invoke-TenantCmdlet ''text'' -CommandName Get-'
        $global:Error.Count | Should -Be $count
        $CompletionSession.Availability -eq 'Available' | Should -BeTrue
    }

    It 'does without Get-Command' {
        $blind = Start-Simulator '--hide', 'Select-Object'
        $global:CompletionBlind = Connect-Endpoint $blind @{ Organization = 'fabrikam.com' }
        Get-Completion 'Invoke-TenantCmdlet $CompletionBlind -CommandName Get-MailboxSt' | Should -Be 'Get-MailboxStatistics'
        Remove-Variable CompletionBlind -Scope Global
    }

    It 'waits a limited time for a server that does not answer' {
        $slow = Start-Simulator '--fault', 'delay=60000@receive:1+'
        $global:CompletionSlow = Connect-Endpoint $slow @{ Organization = 'fabrikam.com' }
        try {
            InModuleScope DelegatedTenant { $script:CompletionLimit = 300 }
            $clock = [Diagnostics.Stopwatch]::StartNew()
            Get-Completion 'Invoke-TenantCmdlet $CompletionSlow -CommandName Get-Zz' | Should -BeNullOrEmpty
            $clock.Elapsed.TotalSeconds | Should -BeLessThan 30
        }
        finally {
            InModuleScope DelegatedTenant { $script:CompletionLimit = 2000 }
            Remove-Variable CompletionSlow -Scope Global
        }
    }
}
