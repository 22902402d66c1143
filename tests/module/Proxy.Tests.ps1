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

    # In wine alone: on a Windows of somebody's own these settings are not a test's to change.
    It 'are read as they are set: <Type><How>' -Skip:(-not $env:DT_SERVERS) -ForEach @(
        @{ Type = 'IEConfig'; Hive = 'HKEY_CURRENT_USER'; Value = 'DefaultConnectionSettings'; Magic = 0x46; Flags = 3; Proxy = 'proxy.example:3128'; Bypass = '*.local.example' }
        @{ Type = 'IEConfig'; Hive = 'HKEY_CURRENT_USER'; Value = 'DefaultConnectionSettings'; Magic = 0x46; Flags = 5; Proxy = ''; Bypass = ''; How = ', by a script' }
        @{ Type = 'WinHttpConfig'; Hive = 'HKEY_LOCAL_MACHINE'; Value = 'WinHttpSettings'; Magic = 0x18; Flags = 3; Proxy = 'proxy.example:3128'; Bypass = '*.local.example' }
    ) {
        $key = "$Hive\Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
        $root = if ($Hive -eq 'HKEY_CURRENT_USER') { [Microsoft.Win32.Registry]::CurrentUser } else { [Microsoft.Win32.Registry]::LocalMachine }
        $address = ''
        if ($How) {
            $folder = [IO.Directory]::CreateDirectory([IO.Path]::Combine($Checkout, 'target', 'tmp', "pac-$([guid]::NewGuid())")).FullName
            [IO.File]::WriteAllText([IO.Path]::Combine($folder, 'proxy.pac'), 'function FindProxyForURL(url, host) { return host == "a.example" ? "PROXY proxy.example:3128" : "DIRECT"; }')
            $server = Start-TestServer 'python3' '-u', '-m', 'http.server', '0', '--bind', '127.0.0.1', '--directory', $folder
            $address = $server.Uri.TrimEnd([char] ')') + 'proxy.pac'
        }
        # As Windows keeps them: a kind, a count of changes, flags (a proxy is named, or a script), the proxy, the exceptions and the script,
        # each with its length.
        $bytes = [IO.MemoryStream]::new()
        $writer = [IO.BinaryWriter]::new($bytes)
        foreach ($number in $Magic, 0, $Flags) { $writer.Write([int] $number) }
        foreach ($text in $Proxy, $Bypass, $address) { $writer.Write([int] $text.Length); $writer.Write([Text.Encoding]::ASCII.GetBytes($text)) }
        $writer.Write([byte[]]::new(32))
        [Microsoft.Win32.Registry]::SetValue($key, $Value, $bytes.ToArray(), 'Binary')
        # In a process of its own, since .NET reads the user's settings once.
        $script = "Import-Module '$Checkout/module/DelegatedTenant'; & (Get-Module DelegatedTenant) { Initialize-Module; foreach (`$uri in 'https://a.example/', 'https://a.local.example/') { `$found = Get-SystemProxy $Type `$uri; `$found.TrimEnd('/') } }"
        $own = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
        try { & $own -NoProfile -ExecutionPolicy Bypass -Command $script | Should -Be 'http://proxy.example:3128', 'none' }
        finally {
            $root.OpenSubKey($key.Substring($Hive.Length + 1), $true).DeleteValue($Value)
            if ($How) { Stop-TestServers; [IO.Directory]::Delete($folder, $true) }
        }
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

Describe 'The environment' -Skip:(-not $env:DT_SIM) {
    AfterAll { Stop-TestServers }

    It 'is heeded as the script has changed it' {
        $tenant = Start-Simulator
        $open = @{ ConnectionUri = $tenant.Uri; AllowUnencrypted = $true; Credential = (New-TestCredential); ErrorVariable = 'failed'; ErrorAction = 'SilentlyContinue' }
        $before = $env:HTTP_PROXY
        try {
            # Nothing listens there.
            $env:HTTP_PROXY = 'http://user:hush@127.0.0.1:1'
            Connect-DelegatedTenant @open | Should -BeNullOrEmpty
            "$($failed[0])" | Should -Match 'the proxy cannot be reached'
            "$($failed[0] | Format-List -Force | Out-String)" | Should -Not -Match 'hush'
            $env:NO_PROXY = '127.0.0.1'
            $session = Connect-DelegatedTenant @open
            "$($session.State)" | Should -Be 'Opened'
            Disconnect-DelegatedTenant $session
        }
        finally {
            $env:HTTP_PROXY = $before
            $env:NO_PROXY = $null
        }
    }
}
