# Where the library is: DT_LIBRARY_PATH (a file or its folder), beside the module, or the build of a checkout.
function script:Find-NativeLibrary([string] $ModuleRoot) {
    $file, $os = 'delegated_tenant.dll', 'win'
    if ($script:Edition.OtherSystems -and $IsLinux) { $file, $os = 'libdelegated_tenant.so', 'linux' } # 7: elsewhere it is Windows
    if ($script:Edition.OtherSystems -and $IsMacOS) { $file, $os = 'libdelegated_tenant.dylib', 'osx' } # 7: elsewhere it is Windows
    if ($env:DT_LIBRARY_PATH) {
        $given = if ([IO.Directory]::Exists($env:DT_LIBRARY_PATH)) { [IO.Path]::Combine($env:DT_LIBRARY_PATH, $file) } else { $env:DT_LIBRARY_PATH }
        if (-not [IO.File]::Exists($given)) { throw [IO.FileNotFoundException]::new("DT_LIBRARY_PATH names '$env:DT_LIBRARY_PATH', where there is no $file.", $given) }
        return [IO.Path]::GetFullPath($given)
    }
    # .NET Framework has it from 4.7.1 on, which is older than Windows for anything but these two.
    $information = 'System.Runtime.InteropServices.RuntimeInformation' -as [type]
    $architecture = if ($information) { "$($information::ProcessArchitecture)".ToLowerInvariant() } elseif ([IntPtr]::Size -eq 8) { 'x64' } else { 'x86' }
    $checkout = [IO.Path]::Combine($ModuleRoot, '..', '..')
    $places = @([IO.Path]::Combine($ModuleRoot, 'runtimes', "$os-$architecture", 'native'))
    if ([IO.File]::Exists([IO.Path]::Combine($checkout, 'Cargo.toml'))) { foreach ($build in 'release', 'debug', 'debug/deps') { $places += [IO.Path]::Combine($checkout, 'target', $build) } }
    foreach ($place in $places) {
        $path = [IO.Path]::GetFullPath([IO.Path]::Combine($place, $file))
        if ([IO.File]::Exists($path)) { return $path }
    }
    throw [IO.FileNotFoundException]::new("The library $file of the module DelegatedTenant was not found in $($places -join ', '). Install the module with its 'runtimes' folder, or name the library in the environment variable DT_LIBRARY_PATH.", $file)
}
