BeforeDiscovery {
    $commands = 'Connect-DelegatedTenant', 'Get-DelegatedTenant', 'Invoke-TenantCmdlet', 'Disconnect-DelegatedTenant', 'Import-DelegatedTenant', 'Test-DelegatedTenant'
}

BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    $folder = [IO.Path]::Combine($Checkout, 'module', 'DelegatedTenant')
    $manifest = [IO.Path]::Combine($folder, 'DelegatedTenant.psd1')
    $own = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
    Import-ModuleUnderTest
}

Describe 'The module' {
    It 'exports its commands and nothing else' {
        $module = Get-Module DelegatedTenant
        $module.ExportedFunctions.Keys | Sort-Object | Should -Be 'Connect-DelegatedTenant', 'Disconnect-DelegatedTenant', 'Get-DelegatedTenant', 'Import-DelegatedTenant', 'Invoke-TenantCmdlet', 'Test-DelegatedTenant'
        $module.ExportedCmdlets.Count + $module.ExportedAliases.Count + $module.ExportedVariables.Count | Should -Be 0
    }

    It 'has the version of the library' {
        $cargo = [regex]::Match([IO.File]::ReadAllText([IO.Path]::Combine($Checkout, 'Cargo.toml')), '(?m)^version = "([^"]+)"').Groups[1].Value
        "$((Get-Module DelegatedTenant).Version)" | Should -Be $cargo
        InModuleScope DelegatedTenant { Initialize-Module; Read-Utf8 ($script:Native::dt_version()) } | Should -Be $cargo
    }

    It 'binds every function of its table' {
        $missing = InModuleScope DelegatedTenant {
            Initialize-Module
            $library = [Runtime.InteropServices.NativeLibrary]::Load($script:Library)
            foreach ($line in $script:NativeTable.Split("`n")) {
                $address = [IntPtr]::Zero
                $name = $line.Split(' ')[0].Trim()
                if (-not [Runtime.InteropServices.NativeLibrary]::TryGetExport($library, $name, [ref] $address)) { $name }
            }
        }
        $missing | Should -BeNullOrEmpty
    }

    It 'needs no command outside the core module to be imported' {
        $text = & $own -NoProfile -NonInteractive -Command "Import-Module '$manifest'; (Get-Module).Name -join ','"
        $text | Should -Be 'DelegatedTenant'
    }

    It 'writes nothing to the disk when it is imported and when its library is bound' {
        $home_ = [IO.Path]::Combine([IO.Path]::GetTempPath(), [guid]::NewGuid())
        $null = [IO.Directory]::CreateDirectory($home_)
        $before = @{}
        foreach ($name in 'HOME', 'TMPDIR', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'USERPROFILE', 'TEMP', 'TMP', 'APPDATA', 'LOCALAPPDATA', 'DOTNET_EnableDiagnostics') {
            $before[$name] = [Environment]::GetEnvironmentVariable($name)
            [Environment]::SetEnvironmentVariable($name, $home_)
        }
        # The runtime's diagnostic sockets, the host's own pipe and the engine's module cache are no work of this module.
        [Environment]::SetEnvironmentVariable('DOTNET_EnableDiagnostics', '0')
        try {
            $script = "param() `$list = { ([IO.Directory]::GetFileSystemEntries('$home_', '*', 'AllDirectories') -notmatch 'CoreFxPipe|[/\\]powershell') -join ';' }; `$first = & `$list; Import-Module '$manifest'; `$null = Get-DelegatedTenant; & (Get-Module DelegatedTenant) { Initialize-Module; `$null = Initialize-Lifetime; `$null = Initialize-JobType }; `$second = & `$list; if (`$first -eq `$second) { 'same' } else { `$second }"
            & $own -NoProfile -NonInteractive -Command "& { $script }" | Should -Be 'same'
        }
        finally {
            foreach ($name in $before.Keys) { [Environment]::SetEnvironmentVariable($name, $before[$name]) }
            [IO.Directory]::Delete($home_, $true)
        }
    }

    It 'says where it looked for the library' {
        $text = & $own -NoProfile -NonInteractive -Command "`$env:DT_LIBRARY_PATH = '/nowhere'; Import-Module '$manifest'; try { Disconnect-DelegatedTenant -Name * } catch { `$_.Exception.Message }"
        "$text" | Should -Match "DT_LIBRARY_PATH names '/nowhere'"
    }

    It 'says in ConstrainedLanguage why it cannot be used' {
        $text = & $own -NoProfile -NonInteractive -Command "`$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'; try { Import-Module '$manifest' } catch { `$_.Exception.Message }"
        "$text" | Should -Match 'needs FullLanguage'
    }

    It 'asks in one place which PowerShell it is' {
        $asking = foreach ($file in [IO.Directory]::GetFiles($folder, '*.ps*1', 'AllDirectories')) {
            if ([IO.File]::ReadAllText($file) -match '\$PSVersionTable\.PS(Edition|Version) -(eq|ne|g|l)|\$PSEdition') { [IO.Path]::GetFileName($file) }
        }
        $asking | Should -Be 'DelegatedTenant.psm1'
    }

    It 'holds nothing that Windows PowerShell 5.1 does not know' {
        $findings = & $own -NoProfile -NonInteractive -File "$Shared/windows-powershell/Test-WindowsPowerShell.ps1" $folder
        "$(@($findings)[-1])" | Should -Match ', 0 failed'
    }

    It 'wants no more of .NET Framework than the 4.6.2 that Server 2016 comes with' {
        # What 4.7, 4.7.1 and 4.7.2 added, by Microsoft's lists of their changes, as far as its name is its own (github.com/microsoft/dotnet).
        $types = 'RuntimeInformation OSPlatform Architecture ValueTuple ITuple TupleExtensions IncrementalHash SecureStringMarshal ECCurve ECParameters ECPoint CertificateRequest SubjectAlternativeNameBuilder X509SignatureGenerator EventCounter RuntimeFeature ThreadPoolBoundHandle PreAllocatedOverlapped SocketTaskExtensions StackFrameExtensions StringNormalizationExtensions GlobalizationExtensions'.Split(' ')
        $members = 'LPUTF8Str TargetFrameworkName ShutdownAsync ToValueTuple ToTuple Prepend ToHashSet CopyWithPrivateKey EphemeralKeySet ECDiffieHellman ServerCertificateCustomValidationCallback DangerousAcceptAnyServerCertificateValidator CheckCertificateRevocationList MaxConnectionsPerServer DefaultProxyCredentials ExternalAttributes ExportParameters ImportParameters'.Split(' ')
        # Where only a further number of arguments is new.
        $calls = 'RSA.Create 1', 'DSA.Create 1', 'ECDsa.Create 1', 'Rfc2898DeriveBytes.new 4', 'CryptoStream.new 4', 'Enumerable.Append 2'
        $findings = foreach ($file in [IO.Directory]::GetFiles($folder, '*.ps*1', 'AllDirectories') + "$Checkout/tests/windows/smoke.ps1") {
            $tree = [System.Management.Automation.Language.Parser]::ParseFile($file, [ref] $null, [ref] $null)
            foreach ($ast in $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.TypeExpressionAst] -or $args[0] -is [System.Management.Automation.Language.TypeConstraintAst] -or $args[0] -is [System.Management.Automation.Language.MemberExpressionAst] }, $true)) {
                $type = if ($ast.TypeName) { $ast.TypeName } elseif ($ast.Static) { $ast.Expression.TypeName }
                $short = "$type".Split('.')[-1]
                $count = @($ast.Arguments).Where({ $null -ne $_ }).Count
                if ($short -in $types -or "$($ast.Member)" -in $members -or "$short.$($ast.Member) $count" -in $calls) { "$([IO.Path]::GetFileName($file)):$($ast.Extent.StartLineNumber): $ast" }
            }
        }
        $findings | Should -BeNullOrEmpty
    }

    It 'has a smoke test that Windows PowerShell 5.1 can run' {
        $findings = & $own -NoProfile -NonInteractive -File "$Shared/windows-powershell/Test-WindowsPowerShell.ps1" "$Checkout/tests/windows/smoke.ps1"
        "$(@($findings)[-1])" | Should -Match ', 0 failed'
        $lines = & $own -NoProfile -NonInteractive -File "$Checkout/tests/windows/smoke.ps1"
        @($lines)[-1] | Should -Be 'all PASS'
    }

    It 'has an about topic' {
        [IO.File]::ReadAllText([IO.Path]::Combine($folder, 'en-US', 'about_DelegatedTenant.help.txt')) | Should -Match 'SHORT DESCRIPTION'
    }
}

Describe 'The help of <_>' -ForEach $commands {
    BeforeAll { $help = Get-Help $_ -Full; $command = Get-Command $_ }

    It 'has a synopsis, a description and examples' {
        $help.Synopsis | Should -Not -BeNullOrEmpty
        $help.Synopsis | Should -Not -Match "^\s*$($command.Name)"
        "$($help.description.Text)" | Should -Not -BeNullOrEmpty
        @($help.examples.example).Count | Should -BeGreaterThan 1
    }

    It 'has an output type' {
        $command.OutputType.Count | Should -BeGreaterThan 0
    }

    It 'describes each parameter' {
        $common = [System.Management.Automation.PSCmdlet]::CommonParameters + [System.Management.Automation.PSCmdlet]::OptionalCommonParameters
        foreach ($name in $command.Parameters.Keys | Where-Object { $_ -notin $common }) {
            $text = "$((($help.parameters.parameter | Where-Object name -eq $name).description).Text)"
            "$name $($text.Length -gt 10)" | Should -Be "$name True"
        }
    }
}

# They stand in each command, for Get-Help, Get-Command -Syntax and completion to know them; here they are held equal.
Describe 'The parameters of opening in <_>' -ForEach 'Test-DelegatedTenant', 'Invoke-TenantCmdlet' {
    BeforeAll {
        $connect, $command = (Get-Command Connect-DelegatedTenant), (Get-Command $_)
        $common = [System.Management.Automation.PSCmdlet]::CommonParameters + [System.Management.Automation.PSCmdlet]::OptionalCommonParameters
        $own = if ($_ -eq 'Test-DelegatedTenant') {
            # What becomes of the session: a test has none to give, waits for none, and always verifies.
            @{ Without = 'Name', 'ThrottleLimit', 'Reconnect', 'VerifyOrganization', 'WaitForSession', 'WaitTimeout', 'SessionLimit'; Help = 'ConnectionUri', 'ComputerName', 'TokenCallback', 'OpenTimeout' }
        }
        else { @{ Without = 'Name', 'Reconnect', 'ComputerName', 'Port', 'UseSSL', 'ApplicationName'; Help = 'ConnectionUri', 'ThrottleLimit', 'Organization' } }
        $shared = $connect.Parameters.Keys | Where-Object { $_ -notin $common -and $_ -notin $own.Without }

        function Get-Declaration($Parameter) {
            $type = $Parameter.ParameterType
            if ($type.IsArray -and $Parameter.Name -in 'ConnectionUri', 'ComputerName') { $type = $type.GetElementType() }
            "$($Parameter.Name) [$type] $($Parameter.Aliases -join ',')"
            foreach ($attribute in $Parameter.Attributes) {
                if ($attribute -is [ValidateRange]) { "range $($attribute.MinRange) $($attribute.MaxRange)" }
                elseif ($attribute -is [ValidateSet]) { "set $($attribute.ValidValues)" }
                elseif ($attribute -isnot [Parameter] -and $attribute -isnot [Alias]) { $attribute.GetType().Name }
            }
        }
    }

    It 'are those of Connect-DelegatedTenant' {
        foreach ($name in $shared) {
            $command.Parameters.ContainsKey($name) | Should -BeTrue -Because "$name is one"
            (Get-Declaration $command.Parameters[$name] | Sort-Object) -join "`n" | Should -Be ((Get-Declaration $connect.Parameters[$name] | Sort-Object) -join "`n")
        }
    }

    It 'belong to the parameter sets in which a session is opened, and to no other' {
        foreach ($name in $shared | Where-Object { $_ -ne 'ThrottleLimit' }) {
            $sets = if ($command.Name -eq 'Invoke-TenantCmdlet') { 'FilePathUri', 'Uri' } else { $connect.Parameters[$name].ParameterSets.Keys }
            "$name $($command.Parameters[$name].ParameterSets.Keys | Sort-Object)" | Should -Be "$name $($sets | Sort-Object)"
        }
    }

    It 'are described alike' {
        $helpOf = @{}
        foreach ($one in $connect, $command) { $helpOf[$one.Name] = $one.ScriptBlock.Ast.GetHelpContent().Parameters }
        foreach ($name in $shared | Where-Object { $_ -notin $own.Help }) { $helpOf[$command.Name][$name.ToUpperInvariant()] | Should -Be $helpOf['Connect-DelegatedTenant'][$name.ToUpperInvariant()] }
    }
}
