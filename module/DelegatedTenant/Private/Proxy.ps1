# The proxy settings of Windows, by the names that PSSessionOption has for them. Elsewhere there are none, and the environment decides.

# The proxy for an address: its URL, 'none' for the straight way, or nothing for the environment's.
function script:Get-SystemProxy([string] $AccessType, [uri] $Uri) {
    if ($script:Edition.OtherSystems -and -not $IsWindows) { return } # 7: elsewhere it is Windows
    # What the library would take where no address is named.
    if (-not $Uri -or -not $Uri.IsAbsoluteUri) { $Uri = 'https://outlook.office365.com' }
    if ($AccessType -eq 'IEConfig') {
        # .NET's own reading of the user's settings, with their script and their detection.
        $found = [Net.WebRequest]::GetSystemWebProxy().GetProxy($Uri)
        if ($null -eq $found -or $found -eq $Uri) { return 'none' }
        return $found.AbsoluteUri
    }
    $settings = if ($AccessType -eq 'WinHttpConfig') { Read-WinHttpDefault } else { Find-WinHttpProxy $Uri }
    if (-not $settings) { return 'none' }
    Select-ProxyFor $Uri $settings.Proxy $settings.Bypass
}

# The variables that name proxies, a line each, as PowerShell has them now; a secret, since a proxy's address may hold a password.
function script:Get-ProxyVariable {
    $secret = [securestring]::new()
    foreach ($name in 'HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy', 'NO_PROXY', 'no_proxy', 'REQUEST_METHOD') {
        $value = [Environment]::GetEnvironmentVariable($name)
        if ($value) { foreach ($character in "$name=$value".Replace("`n", ' ').ToCharArray()) { $secret.AppendChar($character) } }
        $secret.AppendChar("`n")
    }
    $secret
}

# Which of a list as WinHTTP writes it ("proxy:80", or "http=a:80;https=b:443") serves an address, and whether it goes round.
function script:Select-ProxyFor([uri] $Uri, [string] $List, [string] $Bypass) {
    foreach ($entry in $Bypass -split '[;\s]+') {
        if (-not $entry) { continue }
        if ($entry -eq '<local>') { if (-not $Uri.Host.Contains('.')) { return 'none' } else { continue } }
        $scheme, $rest = if ($entry -match '^(\w+)://(.*)$') { $Matches[1], $Matches[2] } else { $Uri.Scheme, $entry }
        if ($scheme -eq $Uri.Scheme -and ($Uri.Host -like $rest -or "$($Uri.Host):$($Uri.Port)" -like $rest)) { return 'none' }
    }
    foreach ($entry in $List -split '[;\s]+') {
        if ($entry -match '^(\w+)=(.+)$') { if ($Matches[1] -ne $Uri.Scheme) { continue } else { $entry = $Matches[2] } }
        if (-not $entry) { continue }
        if ($entry -match '^\w+://') { return $entry }
        return "http://$entry"
    }
    'none'
}

# The machine's settings, as `netsh winhttp show proxy` shows them.
function script:Read-WinHttpDefault {
    $info = [Runtime.InteropServices.Marshal]::AllocHGlobal(3 * [IntPtr]::Size)
    try { if ((Initialize-WinHttp)::WinHttpGetDefaultProxyConfiguration($info)) { Read-ProxyInfo $info } }
    finally { [Runtime.InteropServices.Marshal]::FreeHGlobal($info) }
}

# What the network names by DHCP or DNS (WPAD). Where it names nothing, the way is straight.
function script:Find-WinHttpProxy([uri] $Uri) {
    $winHttp = Initialize-WinHttp
    $marshal = [Runtime.InteropServices.Marshal]
    # WINHTTP_ACCESS_TYPE_NO_PROXY: the session is for the detection alone.
    $session = $winHttp::WinHttpOpen('DelegatedTenant', 1, [IntPtr]::Zero, [IntPtr]::Zero, 0)
    if ($session -eq [IntPtr]::Zero) { return }
    $info = $marshal::AllocHGlobal(3 * [IntPtr]::Size)
    $ask = $marshal::AllocHGlobal(16 + 2 * [IntPtr]::Size)
    try {
        # WINHTTP_AUTOPROXY_OPTIONS: AUTO_DETECT, by DHCP and by DNS; the user may sign in to fetch the script.
        foreach ($at in 0..3) { $marshal::WriteInt32($ask, 4 * $at, 0) }
        foreach ($at in 0, 1) { $marshal::WriteIntPtr($ask, 8 + $at * [IntPtr]::Size, [IntPtr]::Zero) }
        $marshal::WriteInt32($ask, 0, 1)
        $marshal::WriteInt32($ask, 4, 3)
        $marshal::WriteInt32($ask, 8 + 2 * [IntPtr]::Size, 0)
        $marshal::WriteInt32($ask, 12 + 2 * [IntPtr]::Size, 1)
        if ($winHttp::WinHttpGetProxyForUrl($session, $Uri.AbsoluteUri, $ask, $info)) { Read-ProxyInfo $info }
    }
    finally {
        $marshal::FreeHGlobal($ask)
        $marshal::FreeHGlobal($info)
        $null = $winHttp::WinHttpCloseHandle($session)
    }
}

# WINHTTP_PROXY_INFO; its strings are the caller's to free.
function script:Read-ProxyInfo([IntPtr] $Info) {
    $marshal = [Runtime.InteropServices.Marshal]
    $texts = foreach ($at in 1, 2) {
        $text = $marshal::ReadIntPtr($Info, $at * [IntPtr]::Size)
        "$(if ($text -ne [IntPtr]::Zero) { $marshal::PtrToStringUni($text); $marshal::FreeHGlobal($text) })"
    }
    # WINHTTP_ACCESS_TYPE_NAMED_PROXY
    if ($marshal::ReadInt32($Info) -eq 3) { @{ Proxy = $texts[0]; Bypass = $texts[1] } }
}

$script:WinHttp = $null
function script:Initialize-WinHttp {
    if ($script:WinHttp) { return $script:WinHttp }
    $assembly = [Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly([Reflection.AssemblyName] 'DelegatedTenant.WinHttp', 'Run')
    $builder = $assembly.DefineDynamicModule('DelegatedTenant.WinHttp').DefineType('DelegatedTenant.WinHttp', 'Public, Abstract, Sealed')
    $functions = @{
        WinHttpGetDefaultProxyConfiguration = [bool], [IntPtr]
        WinHttpOpen = [IntPtr], [string], [int], [IntPtr], [IntPtr], [int]
        WinHttpGetProxyForUrl = [bool], [IntPtr], [string], [IntPtr], [IntPtr]
        WinHttpCloseHandle = [bool], [IntPtr]
    }
    foreach ($name in $functions.Keys) {
        $returns, $takes = $functions[$name]
        $method = $builder.DefinePInvokeMethod($name, 'winhttp.dll', 'Public, Static, PinvokeImpl', 'Standard', $returns, [type[]] $takes, 'Winapi', 'Unicode')
        $method.SetImplementationFlags('PreserveSig')
    }
    $script:WinHttp = $builder.CreateType()
    $script:WinHttp
}
