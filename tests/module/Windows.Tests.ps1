# Where and how administrators on Windows run the module: odd folders and shares, locked-down hosts, other users, their own authorities,
# Ctrl+C. What any system can show is shown on any.
BeforeDiscovery {
    $places = @(@{ Where = 'a folder with blanks, brackets and letters of all kinds' })
    if ($IsWindows) { $places += @{ Where = 'a path without limit of length'; Begin = '\\?\' } }
    # Set where the test's own machine is reached as a share, too.
    if ($env:DT_TEST_SHARE) { $places += @{ Where = 'a share'; Begin = $env:DT_TEST_SHARE; From = 2 }, @{ Where = 'a share without limit of length'; Begin = '\\?\UNC' + $env:DT_TEST_SHARE.Substring(1); From = 2 } }
}

BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $folder = [IO.Directory]::CreateDirectory([IO.Path]::Combine($Checkout, 'target', 'tmp', "windows-$([guid]::NewGuid())")).FullName
    $manifest = [IO.Path]::Combine($Checkout, 'module', 'DelegatedTenant', 'DelegatedTenant.psd1')
    $before = @{}
    foreach ($name in 'DT_LIBRARY_PATH', 'DT_LEDGER', 'LOCALAPPDATA') { $before[$name] = [Environment]::GetEnvironmentVariable($name) }

    # The module as it is installed, in a folder of this name; with what each of its files becomes.
    function Install-Copy([string] $Name, [scriptblock] $Change = { $args[0] }) {
        $source = [IO.Path]::Combine($Checkout, 'module', 'DelegatedTenant')
        $target = [IO.Path]::Combine($folder, $Name, 'DelegatedTenant')
        foreach ($file in [IO.Directory]::GetFiles($source, '*', 'AllDirectories')) {
            $copy = $target + $file.Substring($source.Length)
            $null = [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($copy))
            [IO.File]::WriteAllText($copy, (& $Change ([IO.File]::ReadAllText($file))))
        }
        $os, $library = if ($IsWindows) { 'win', 'delegated_tenant.dll' } elseif ($IsMacOS) { 'osx', 'libdelegated_tenant.dylib' } else { 'linux', 'libdelegated_tenant.so' }
        $native = [IO.Path]::Combine($target, 'runtimes', "$os-$("$([Runtime.InteropServices.RuntimeInformation]::ProcessArchitecture)".ToLowerInvariant())", 'native')
        $null = [IO.Directory]::CreateDirectory($native)
        $built = if ([IO.Directory]::Exists($before.DT_LIBRARY_PATH)) { [IO.Path]::Combine($before.DT_LIBRARY_PATH, $library) } else { $before.DT_LIBRARY_PATH }
        [IO.File]::Copy($built, [IO.Path]::Combine($native, $library))
        [IO.Path]::Combine($target, 'DelegatedTenant.psd1')
    }

    # A runspace of its own, with $uri and $credential; $null for a script makes none.
    function New-Shell([string] $Uri) {
        $runspace = [runspacefactory]::CreateRunspace()
        $runspace.Open()
        $runspace.SessionStateProxy.SetVariable('uri', $Uri)
        $runspace.SessionStateProxy.SetVariable('credential', (New-TestCredential))
        $runspace
    }

    # What a script says there, its errors included.
    function Invoke-There($Runspace, [string] $Script) {
        $shell = [powershell]::Create()
        $shell.Runspace = $Runspace
        $null = $shell.AddScript($Script)
        try { $said = $shell.Invoke() } catch { $said = "thrown: $_" }
        (@($said) + @($shell.Streams.Error | ForEach-Object { "error: $_" })) -join '; '
        $shell.Dispose()
    }

    # A script for each thing that the module does, and what it says.
    $everything = [ordered] @{
        '$s = Connect-DelegatedTenant $uri -Organization fabrikam.com -AllowUnencrypted -Credential $credential; "$($s.State)"' = 'Opened'
        '@(Invoke-TenantCmdlet $s { Get-Mailbox -ResultSize 2 } -WarningAction SilentlyContinue).Count' = '2'
        '$name = "fabrikam.com"; (Invoke-TenantCmdlet $s { Get-AcceptedDomain $using:name }).Name' = 'fabrikam.com'
        '(Receive-Job (Invoke-TenantCmdlet $s { Get-AcceptedDomain fabrikam.com } -AsJob) -Wait).Name' = 'fabrikam.com'
        '$null = Import-DelegatedTenant $s -CommandName Get-AcceptedDomain; (Get-AcceptedDomain fabrikam.com).Name' = 'fabrikam.com'
        '(Get-DelegatedTenant).Organization' = 'fabrikam.com'
        '@(Test-DelegatedTenant -ConnectionUri $uri -AllowUnencrypted -Credential $credential).Count' = '7'
        'Disconnect-DelegatedTenant $s; "$($s.State)"' = 'Closed'
    }
}

AfterAll {
    foreach ($name in $before.Keys) { [Environment]::SetEnvironmentVariable($name, $before[$name]) }
    try { Disconnect-DelegatedTenant -Name * } finally { Stop-TestServers }
    # Windows keeps a library that is loaded.
    try { [IO.Directory]::Delete($folder, $true) } catch { $null = $_ }
}

Describe 'The folder of the module' -Skip:(-not $env:DT_SIM -or -not $env:DT_LIBRARY_PATH) {
    BeforeAll {
        $tenant = Start-Simulator
        $env:DT_LIBRARY_PATH = $null
    }
    AfterAll { $env:DT_LIBRARY_PATH = $before.DT_LIBRARY_PATH }

    It 'can be <Where>' -ForEach $places {
        if (-not $installed) { Set-Variable installed (Install-Copy "Gr$([char] 0xfc)n & [1] $([char] 0x65e5)") -Scope Script }
        $path = $Begin + $installed.Substring([int] $From)
        $runspace = New-Shell $tenant.Uri
        try {
            $runspace.SessionStateProxy.SetVariable('path', [System.Management.Automation.WildcardPattern]::Escape($path))
            Invoke-There $runspace 'Import-Module $path -ErrorAction Stop; (Get-Module DelegatedTenant).ModuleBase' | Should -Be ([IO.Path]::GetDirectoryName($path))
            foreach ($script in $everything.Keys) { "$script -> $(Invoke-There $runspace $script)" | Should -Be "$script -> $($everything[$script])" }
            Invoke-There $runspace '& (Get-Module DelegatedTenant) { $script:Library }' | Should -BeLike ([System.Management.Automation.WildcardPattern]::Escape([IO.Path]::GetDirectoryName($path)) + '*')
        }
        finally { $runspace.Dispose() }
    }

    It 'may be on Windows PowerShell, with no more of .NET Framework than Server 2016 has' {
        # Its branches, in an engine that has more; only the library's own name is another system's matter.
        $path = Install-Copy 'desktop' {
            $text = $args[0].Replace("'LPUTF8Str' -as", "'None' -as").Replace('System.Runtime.InteropServices.RuntimeInformation', 'None')
            $text = [regex]::Replace($text, "(CleanBlock\s+= )[^#\n]+", '$1$false ')
            if ($IsWindows) { $text = [regex]::Replace($text, "((?:OtherSystems|Utf8Pointers)\s+= )[^#\n]+", '$1$false ') }
            $text
        }
        $runspace = New-Shell $tenant.Uri
        try {
            Invoke-There $runspace "Import-Module '$path' -ErrorAction Stop" | Should -BeNullOrEmpty
            foreach ($script in $everything.Keys) { "$script -> $(Invoke-There $runspace $script)" | Should -Be "$script -> $($everything[$script])" }
            Invoke-There $runspace '& (Get-Module DelegatedTenant) { "$($Edition.CleanBlock) $($Native.GetMethod(''WriteUtf8'', [Reflection.BindingFlags] ''NonPublic, Static'').Name)" }' | Should -Be 'False WriteUtf8'
            # Text that is not ASCII goes there and comes back.
            $name = "Gr$([char] 0xfc)n $([char] 0x65e5)$([char]::ConvertFromUtf32(0x1f600))"
            Invoke-There $runspace "(Invoke-TenantCmdlet -ConnectionUri `$uri -AllowUnencrypted -Credential `$credential { Get-Mailbox '$name' } -ErrorVariable e -ErrorAction SilentlyContinue); `"`$e`"" | Should -Match ([regex]::Escape($name))
        }
        finally { $runspace.Dispose() }
    }

    It 'may have been given the line ends of Windows' {
        $path = Install-Copy 'crlf' { $args[0].Replace("`r`n", "`n").Replace("`n", "`r`n") }
        $runspace = New-Shell $tenant.Uri
        try {
            Invoke-There $runspace "Import-Module '$path' -ErrorAction Stop" | Should -BeNullOrEmpty
            foreach ($script in $everything.Keys) { "$script -> $(Invoke-There $runspace $script)" | Should -Be "$script -> $($everything[$script])" }
        }
        finally { $runspace.Dispose() }
    }
}

Describe 'A locked-down host' -Skip:(-not $env:DT_SIM) {
    It 'may hold those who call a module that it trusts to ConstrainedLanguage' {
        $tenant = Start-Simulator
        $runspace = New-Shell $tenant.Uri
        try {
            Invoke-There $runspace "Import-Module '$manifest' -ErrorAction Stop" | Should -BeNullOrEmpty
            $runspace.SessionStateProxy.LanguageMode = 'ConstrainedLanguage'
            foreach ($script in $everything.Keys) { "$script -> $(Invoke-There $runspace $script)" | Should -Be "$script -> $($everything[$script])" }
            Invoke-There $runspace '[IO.Path]::GetTempPath()' | Should -Match 'only on core types'
        }
        finally { $runspace.Dispose() }
    }

    It 'may have the policy RemoteSigned' -Skip:(-not $IsWindows) {
        $own = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
        & $own -NoProfile -NonInteractive -ExecutionPolicy RemoteSigned -Command "Get-ExecutionPolicy; Import-Module '$manifest'; @(Get-DelegatedTenant).Count" | Should -Be 'RemoteSigned', '0'
    }
}

Describe 'A user' -Skip:(-not $env:DT_SIM -or -not $IsWindows) {
    BeforeAll {
        $tenant = Start-Simulator
        $plain = @{ ConnectionUri = $tenant.Uri; AllowUnencrypted = $true; Credential = (New-TestCredential); ErrorAction = 'Stop'; WarningVariable = 'warned'; WarningAction = 'SilentlyContinue' }
        $env:DT_LEDGER = $null
    }
    AfterAll { $env:DT_LEDGER = $before.DT_LEDGER; $env:LOCALAPPDATA = $before.LOCALAPPDATA }

    It 'has the ledger, whatever letters are in the name' {
        $env:LOCALAPPDATA = [IO.Path]::Combine($folder, "J$([char] 0xfc)rgen $([char] 0x418)$([char] 0x65e5)", 'AppData', 'Local')
        $null = [IO.Directory]::CreateDirectory($env:LOCALAPPDATA)
        $session = Connect-DelegatedTenant @plain
        $warned | Should -BeNullOrEmpty
        [IO.Directory]::GetFiles($env:LOCALAPPDATA, '*.json', 'AllDirectories').Count | Should -Be 1
        Disconnect-DelegatedTenant $session
        [IO.Directory]::GetFiles($env:LOCALAPPDATA, '*', 'AllDirectories') | Should -BeNullOrEmpty
    }

    It 'is told where there is no place for it, and connects' {
        $env:LOCALAPPDATA = $null
        $session = Connect-DelegatedTenant @plain
        "$warned" | Should -Match 'The list of open sessions cannot be kept \(LOCALAPPDATA names no folder\)'
        "$($session.State)" | Should -Be 'Opened'
        Disconnect-DelegatedTenant $session
    }
}

# Windows itself asks the user before it trusts another authority; wine does not.
Describe 'The certificate store' -Skip:(-not $env:DT_SERVERS) {
    It 'holds the authorities that are trusted, those of the user included' {
        $known, $unknown = foreach ($name in 'known', 'unknown') {
            $own = [IO.Directory]::CreateDirectory([IO.Path]::Combine($folder, $name)).FullName
            $null = Start-TestServer "$Shared\pwsh\bin\pwsh" '-NoProfile', '-File', "$Checkout\tests\interop\authority.ps1", $own
            @{ Authority = [Security.Cryptography.X509Certificates.X509Certificate2]::new([IO.File]::ReadAllBytes("$own\authority.cer")); Server = Start-Endpoint '--cert', "$own\server.pem", '--key', "$own\server.key" }
        }
        $store = [Security.Cryptography.X509Certificates.X509Store]::new('Root', 'CurrentUser')
        $store.Open('ReadWrite')
        try {
            $store.Add($known.Authority)
            # Wine writes it down only now.
            $store.Close()
            $session = Connect-DelegatedTenant $known.Server.Uri -Credential (New-TestCredential) -ErrorAction Stop
            (Invoke-TenantCmdlet $session { Get-AcceptedDomain }).Name | Should -Not -BeNullOrEmpty
            Disconnect-DelegatedTenant $session
            Connect-DelegatedTenant $unknown.Server.Uri -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            "$($failed[0].FullyQualifiedErrorId) $($failed[0])" | Should -Match '^12175,PSSessionOpenFailed.*unknown issuer'
        }
        finally {
            # Wine does not write down that one was removed.
            [Microsoft.Win32.Registry]::CurrentUser.DeleteSubKeyTree("Software\Microsoft\SystemCertificates\Root\Certificates\$($known.Authority.Thumbprint)", $false)
        }
    }
}

Describe 'Ctrl+C in a console' -Skip:(-not $IsWindows) {
    It 'stops the command and leaves the session' {
        $endpoint = Start-Endpoint
        $told = [IO.Path]::Combine($folder, 'told.txt')
        # A console of its own, since everybody at a console gets its Ctrl+C; what is said goes to a file, for it is not read here.
        $lines = @'
$type = [Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly([Reflection.AssemblyName] 'Console', 'Run').DefineDynamicModule('Console').DefineType('Console', 'Public')
foreach ($one in @('FreeConsole', @()), @('AllocConsole', @()), @('GenerateConsoleCtrlEvent', ([int], [int]))) { $type.DefinePInvokeMethod($one[0], 'kernel32.dll', 'Public, Static, PinvokeImpl', 'Standard', [bool], [type[]] $one[1], 'Winapi', 'Unicode').SetImplementationFlags('PreserveSig') }
$console = $type.CreateType()
$null = $console::FreeConsole() -and $console::AllocConsole()
function Tell($Text) { [IO.File]::AppendAllText('<Told>', "$Text`n") }
. '<Root>\TestServers.ps1'; Import-ModuleUnderTest; $s = Connect-Endpoint @{ Uri = '<Uri>' }
Invoke-TenantCmdlet $s { Get-Slowly -Count 600 -Milliseconds 100 } | ForEach-Object { if ($_ -eq 'item 2') { Tell "$_ $($console::GenerateConsoleCtrlEvent(0, 0))" } }; Tell 'not stopped'
Tell "$($s.State) $($s.Availability) $(@(Invoke-TenantCmdlet $s { Get-AcceptedDomain }).Count)"
Disconnect-DelegatedTenant $s; Tell "$($s.State)"
exit 7
'@
        $start = [Diagnostics.ProcessStartInfo]::new([Diagnostics.Process]::GetCurrentProcess().MainModule.FileName)
        foreach ($argument in '-NoProfile', '-ExecutionPolicy', 'Bypass') { $start.ArgumentList.Add($argument) }
        $start.RedirectStandardInput = $start.RedirectStandardOutput = $true
        $start.CreateNoWindow = $true
        $process = [Diagnostics.Process]::Start($start)
        $null = $process.StandardOutput.ReadToEndAsync()
        $process.StandardInput.Write($lines.Replace('<Told>', $told).Replace('<Root>', $TestRoot).Replace('<Uri>', $endpoint.Uri) + "`n")
        $process.StandardInput.Close()
        if (-not $process.WaitForExit(60000)) { $process.Kill() }
        [IO.File]::ReadAllText($told) | Should -Be "item 2 True`nOpened Available 1`nClosed`n"
        $process.ExitCode | Should -Be 7
        (Get-EndpointStat $endpoint).open | Should -Be 0
    }
}
