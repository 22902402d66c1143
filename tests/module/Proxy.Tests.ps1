BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
}

Describe 'The proxy settings of Windows' {
    It 'choose <Expected> for <Uri> from "<List>" without "<Bypass>"' -ForEach @(
        @{ Uri = 'https://a.example/'; List = 'proxy:8080'; Bypass = ''; Expected = 'http://proxy:8080' }
        @{ Uri = 'https://a.example/'; List = 'http=one:80;https=two:443'; Bypass = ''; Expected = 'http://two:443' }
        @{ Uri = 'http://a.example/'; List = 'https=two:443'; Bypass = ''; Expected = 'none' }
        @{ Uri = 'https://a.example/'; List = 'http://proxy:8080 second:1'; Bypass = 'b.example'; Expected = 'http://proxy:8080' }
        @{ Uri = 'https://a.example/'; List = 'proxy:8080'; Bypass = '<local>;*.example'; Expected = 'none' }
        @{ Uri = 'https://server/'; List = 'proxy:8080'; Bypass = '<local>'; Expected = 'none' }
        @{ Uri = 'https://a.example/'; List = 'proxy:8080'; Bypass = '<local>'; Expected = 'http://proxy:8080' }
        @{ Uri = 'https://a.example/'; List = 'proxy:8080'; Bypass = 'http://*.example'; Expected = 'http://proxy:8080' }
        @{ Uri = 'https://a.example:444/'; List = 'proxy:8080'; Bypass = 'a.example:444'; Expected = 'none' }
        @{ Uri = 'https://a.example/'; List = ''; Bypass = ''; Expected = 'none' }
    ) {
        InModuleScope DelegatedTenant { Initialize-Module; Select-ProxyFor $Uri $List $Bypass } -Parameters $_ | Should -Be $Expected
    }

    It 'are asked for <_>, or leave it to the environment off Windows' -ForEach 'IEConfig', 'WinHttpConfig', 'AutoDetect' {
        $found = InModuleScope DelegatedTenant { Initialize-Module; Get-SystemProxy $Type 'https://a.example/' } -Parameters @{ Type = $_ }
        $found | Should -Be $(if ($IsWindows) { 'none' })
    }

    It 'are read as the user set them' -Skip:(-not $IsWindows) {
        $key = 'HKCU:\Software\Microsoft\Windows\CurrentVersion\Internet Settings'
        $script = "`$null = New-Item '$key' -Force; Set-ItemProperty '$key' ProxyEnable 1 -Type DWord; Set-ItemProperty '$key' ProxyServer 'proxy.example:3128'; Set-ItemProperty '$key' ProxyOverride '*.local.example'; Import-Module '$Checkout/module/DelegatedTenant'; & (Get-Module DelegatedTenant) { Initialize-Module; Get-SystemProxy IEConfig 'https://a.example/'; Get-SystemProxy IEConfig 'https://a.local.example/' }"
        $own = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
        try { & $own -NoProfile -ExecutionPolicy Bypass -Command $script | Should -Be 'http://proxy.example:3128/', 'none' }
        finally { Set-ItemProperty $key ProxyEnable 0 -Type DWord }
    }

    It 'lead straight to a server where there is none' {
        $server = Start-Simulator
        try {
            $option = [System.Management.Automation.Remoting.PSSessionOption]::new()
            $option.ProxyAccessType = 'NoProxyServer'
            $session = Connect-DelegatedTenant $server.Uri -Credential (New-TestCredential) -AllowUnencrypted -SessionOption $option -ErrorAction Stop
            Disconnect-DelegatedTenant $session
            $option.ProxyAccessType = 'WinHttpConfig'
            $session = Connect-DelegatedTenant $server.Uri -Credential (New-TestCredential) -AllowUnencrypted -SessionOption $option -ErrorAction Stop
            Disconnect-DelegatedTenant $session
        }
        finally { Stop-TestServers }
    }
}
