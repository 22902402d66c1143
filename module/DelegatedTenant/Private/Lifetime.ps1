# What lets go of native handles when no script does: a safe handle class, so that what a dead runspace or a broken pipeline leaves
# behind is closed by the garbage collector, and a method for the end of the process. Emitted at the first connect, once in a process.
function script:Initialize-Lifetime {
    $slot = "DelegatedTenant.Lifetime:$script:Library"
    $lifetime = [AppDomain]::CurrentDomain.GetData($slot)
    if ($lifetime) { return $lifetime }

    $module = [Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly([Reflection.AssemblyName] 'DelegatedTenant.Lifetime', 'Run').DefineDynamicModule('DelegatedTenant.Lifetime')
    $op = [Reflection.Emit.OpCodes]
    $parent = [Microsoft.Win32.SafeHandles.SafeHandleZeroOrMinusOneIsInvalid]
    $inside = [Reflection.BindingFlags] 'Instance, NonPublic, Public'
    $lifetime = @{}
    foreach ($noun in 'session', 'invocation', 'options') {
        $handle = $module.DefineType("DelegatedTenant.Native.$noun", 'Public, Sealed', $parent)
        # (IntPtr handle) : base(ownsHandle: true) { SetHandle(handle); }
        $il = $handle.DefineConstructor('Public', 'Standard', [type[]] (, [IntPtr])).GetILGenerator()
        $il.Emit($op::Ldarg_0); $il.Emit($op::Ldc_I4_1); $il.Emit($op::Call, $parent.GetConstructor($inside, $null, [type[]] (, [bool]), $null))
        $il.Emit($op::Ldarg_0); $il.Emit($op::Ldarg_1); $il.Emit($op::Call, $parent.GetMethod('SetHandle', $inside))
        $il.Emit($op::Ret)
        # override bool ReleaseHandle() { dt_<noun>_free(handle); return true; }
        $il = $handle.DefineMethod('ReleaseHandle', 'Family, Virtual, HideBySig', [bool], [type]::EmptyTypes).GetILGenerator()
        $il.Emit($op::Ldarg_0); $il.Emit($op::Ldfld, [Runtime.InteropServices.SafeHandle].GetField('handle', $inside))
        $il.Emit($op::Call, $script:Native.GetMethod("dt_${noun}_free"))
        $il.Emit($op::Ldc_I4_1); $il.Emit($op::Ret)
        $lifetime[$noun] = $handle.CreateType()
    }
    # static void AtExit(object sender, EventArgs e) { dt_library_shutdown(2000, NULL); }, and the same for a signal.
    $exit = $module.DefineType('DelegatedTenant.Exit', 'Public, Abstract, Sealed')
    $signal = 'System.Runtime.InteropServices.PosixSignalContext' -as [type]
    $ends = [ordered] @{ AtExit = [type[]] ([object], [EventArgs]) }
    if ($signal) { $ends.AtSignal = [type[]] (, $signal) }
    foreach ($name in $ends.Keys) {
        $il = $exit.DefineMethod($name, 'Public, Static', [void], $ends[$name]).GetILGenerator()
        $il.Emit($op::Ldc_I4, 2000); $il.Emit($op::Ldc_I4_0); $il.Emit($op::Conv_U); $il.Emit($op::Call, $script:Native.GetMethod('dt_library_shutdown'))
        $il.Emit($op::Pop); $il.Emit($op::Ret)
    }
    $exit = $exit.CreateType()
    $atExit = [Delegate]::CreateDelegate([EventHandler], $exit.GetMethod('AtExit'))
    [AppDomain].GetEvent('ProcessExit').AddEventHandler([AppDomain]::CurrentDomain, $atExit)
    # A closed terminal or window, and kill: .NET 10 raises no ProcessExit for them. They still end the process, after this.
    if ($signal) {
        $atSignal = [Delegate]::CreateDelegate([Action`1].MakeGenericType($signal), $exit.GetMethod('AtSignal'))
        $registration = 'System.Runtime.InteropServices.PosixSignalRegistration' -as [type]
        $lifetime.Signals = foreach ($number in 'SIGTERM', 'SIGHUP') { $registration::Create($number, $atSignal) }
    }
    [AppDomain]::CurrentDomain.SetData($slot, $lifetime)
    $lifetime
}
