BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $endpoint = Start-Endpoint
}

AfterAll {
    try { Disconnect-DelegatedTenant -Name * } finally { Stop-TestServers }
}

Describe 'Disconnect-DelegatedTenant' {
    BeforeEach { $one, $two = @((Connect-Endpoint $endpoint @{ Name = 'first' }), (Connect-Endpoint $endpoint @{ Name = 'second' })) }
    AfterEach { Disconnect-DelegatedTenant -Name * }

    It 'closes by object, silently, also a second time' {
        Disconnect-DelegatedTenant $one 2>&1 | Should -BeNullOrEmpty
        Disconnect-DelegatedTenant $one 2>&1 | Should -BeNullOrEmpty
        $one.State -eq 'Closed' | Should -BeTrue
        $two.State -eq 'Opened' | Should -BeTrue
        (Get-EndpointStat $endpoint).open | Should -Be 1
    }

    It 'closes by pipeline' {
        $one, $two | Disconnect-DelegatedTenant
        (Get-EndpointStat $endpoint).open | Should -Be 0
    }

    It 'closes by number' {
        Disconnect-DelegatedTenant -Id $two.Id
        $one.State -eq 'Opened' | Should -BeTrue
        $two.State -eq 'Closed' | Should -BeTrue
    }

    It 'closes by number without a name, as Remove-PSSession does' {
        Disconnect-DelegatedTenant $two.Id
        $two.State -eq 'Closed' | Should -BeTrue
        Disconnect-DelegatedTenant 99999 -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].FullyQualifiedErrorId | Should -BeExactly 'RemoteRunspaceNotAvailableForSpecifiedSessionId,Disconnect-DelegatedTenant'
    }

    It 'closes by name and by wildcard' {
        Disconnect-DelegatedTenant -Name first
        $one.State -eq 'Closed' | Should -BeTrue
        Disconnect-DelegatedTenant -Name 'SEC*'
        $two.State -eq 'Closed' | Should -BeTrue
    }

    It 'closes by instance' {
        Disconnect-DelegatedTenant -InstanceId $one.InstanceId
        $one.State -eq 'Closed' | Should -BeTrue
    }

    It 'closes by computer, also without a name, as Remove-PSSession does' {
        Disconnect-DelegatedTenant -Cn 127.0.0.1
        $one.State, $two.State | Should -Be 'Closed', 'Closed'
        Disconnect-DelegatedTenant nowhere -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].FullyQualifiedErrorId | Should -BeExactly 'RemoteRunspaceNotAvailableForSpecifiedComputer,Disconnect-DelegatedTenant'
    }

    It 'closes nothing with -WhatIf, nor with the preference of the caller' {
        Disconnect-DelegatedTenant $one -WhatIf
        & { $WhatIfPreference = $true; Disconnect-DelegatedTenant $one }
        $one.State -eq 'Opened' | Should -BeTrue
    }

    It 'says of <Key> that it is not there' -ForEach @(
        @{ Key = 'Id'; Value = 99999; ErrorId = 'RemoteRunspaceNotAvailableForSpecifiedSessionId' }
        @{ Key = 'Name'; Value = 'nobody'; ErrorId = 'RemoteRunspaceNotAvailableForSpecifiedName' }
        @{ Key = 'ComputerName'; Value = 'nowhere'; ErrorId = 'RemoteRunspaceNotAvailableForSpecifiedComputer' }
        @{ Key = 'InstanceId'; Value = [guid]::Empty; ErrorId = 'RemoteRunspaceNotAvailableForSpecifiedRunspaceId' }
    ) {
        $with = @{ $Key = $Value }
        Disconnect-DelegatedTenant @with -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].FullyQualifiedErrorId | Should -BeExactly "$ErrorId,Disconnect-DelegatedTenant"
        $failed[0].CategoryInfo.Category | Should -Be 'InvalidArgument'
    }

    It 'is silent where a wildcard matches nothing' {
        Disconnect-DelegatedTenant -Name 'none*' 2>&1 | Should -BeNullOrEmpty
    }

    It 'closes a session that is busy' {
        $worker = [powershell]::Create()
        $session = $one
        $null = $worker.AddScript({ param($module, $session) Import-Module $module; Invoke-TenantCmdlet $session { Get-Slowly -Count 1000 -Milliseconds 100 } }).AddArgument("$Checkout/module/DelegatedTenant/DelegatedTenant.psd1").AddArgument($session)
        $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
        $running = $worker.BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
        $clock = [Diagnostics.Stopwatch]::StartNew()
        while ($output.Count -eq 0 -and $clock.Elapsed.TotalSeconds -lt 30) { $null = $running.AsyncWaitHandle.WaitOne(20) }
        $output.Count | Should -BeGreaterThan 0
        $session.Availability -eq 'Busy' | Should -BeTrue
        Disconnect-DelegatedTenant $session
        $session.State -eq 'Closed' | Should -BeTrue
        $running.AsyncWaitHandle.WaitOne(30000) | Should -BeTrue
        $worker.Dispose()
        (Get-EndpointStat $endpoint).open | Should -Be 1
    }

    It 'closes a session whose server is gone' {
        $other = Start-Endpoint
        $session = Connect-Endpoint $other
        $other.Process.Kill()
        $other.Process.WaitForExit()
        Disconnect-DelegatedTenant $session 2>&1 | Should -BeNullOrEmpty
        $session.State -in 'Closed', 'Broken' | Should -BeTrue
    }
}

Describe 'The end of the module and of PowerShell' {
    It 'closes what is open when the module is removed' {
        $script = 'param($module, $uri, $password) Import-Module $module; $null = Connect-DelegatedTenant $uri -AllowUnencrypted -Credential ([pscredential]::new("admin@partner.com", $password)) -ErrorAction Stop; Remove-Module DelegatedTenant'
        $shell = [powershell]::Create()
        $null = $shell.AddScript($script).AddArgument("$Checkout/module/DelegatedTenant/DelegatedTenant.psd1").AddArgument($endpoint.Uri).AddArgument((New-TestCredential).Password)
        $shell.Invoke()
        $shell.Streams.Error | Should -BeNullOrEmpty
        $shell.Dispose()
        (Get-EndpointStat $endpoint).open | Should -Be 0
    }

    It 'closes what is open when PowerShell ends' {
        $own = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
        $code = "Import-Module '$Checkout/module/DelegatedTenant/DelegatedTenant.psd1'; . '$TestRoot/TestServers.ps1'; `$s = Connect-Endpoint @{ Uri = '$($endpoint.Uri)' }; `"`$(`$s.State)`""
        & $own -NoProfile -NonInteractive -Command $code | Should -Be 'Opened'
        (Get-EndpointStat $endpoint).open | Should -Be 0
    }

    It 'closes what is open when PowerShell is told to end' -Skip:(-not $IsLinux) {
        $own = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
        $code = "Import-Module '$Checkout/module/DelegatedTenant/DelegatedTenant.psd1'; . '$TestRoot/TestServers.ps1'; `$s = Connect-Endpoint @{ Uri = '$($endpoint.Uri)' }; /bin/kill -<Signal> `$PID; Start-Sleep 60; 'still here'"
        foreach ($signal in 'TERM', 'HUP') {
            # These tests may run where somebody (nohup) has the signal ignored, which children inherit.
            & /usr/bin/env --default-signal $own -NoProfile -NonInteractive -Command ($code -replace '<Signal>', $signal) | Should -BeNullOrEmpty
            (Get-EndpointStat $endpoint).open | Should -Be 0
        }
    }
}
