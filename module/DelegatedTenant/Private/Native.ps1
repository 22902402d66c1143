# The C ABI as this module uses it: name, what it returns, what it takes.
#   ptr          a handle, or a string on its way out, to be read at once by Read-Utf8: borrowed pointers are not kept
#   string       UTF-8, copied by the library
#   bytes size   a buffer and its length
#   handles size several handles, and how many
#   ref refsize  a handle, an error or a length on its way out
$script:NativeTable = @'
dt_abi_version uint
dt_version ptr
dt_library_shutdown int uint ref
dt_library_ledger int ptr ref ref
dt_options_new int ref ref
dt_options_set int ptr string string ref
dt_options_set_secret int ptr string bytes size ref
dt_options_token_endpoint int ptr ref ref
dt_options_free void ptr
dt_session_open int ptr ref ref
dt_session_wait int ptr uint ref
dt_session_waiting int ptr ref ref
dt_session_disconnect int ptr uint ref
dt_session_free void ptr
dt_session_warning ptr ptr ptr
dt_session_id ptr ptr
dt_session_computer_name ptr ptr
dt_session_uri ptr ptr
dt_session_organization ptr ptr
dt_session_verified_organization ptr ptr
dt_session_set_secret int ptr string bytes size ref
dt_session_wants_secret int ptr
dt_session_property ptr ptr string
dt_session_configuration_name ptr ptr
dt_session_private_data ptr ptr
dt_session_state int ptr
dt_session_availability int ptr
dt_session_idle_timeout_ms ulong ptr
dt_session_exchange_key int ptr uint ref
dt_session_protect int ptr bytes size ref ref
dt_session_unprotect int ptr string ref ref
dt_session_invoke int ptr ptr ref ref
dt_check_start int ptr ref ref
dt_check_next int ptr uint ref ref
dt_check_warning ptr ptr ptr
dt_check_free void ptr
dt_step_name ptr ptr
dt_step_result int ptr
dt_step_detail ptr ptr
dt_step_remedy ptr ptr
dt_step_error_id ptr ptr
dt_step_duration_ms ulong ptr
dt_step_free void ptr
dt_text_data ptr ptr refsize
dt_text_free void ptr
dt_command_new int ref ref
dt_command_add int ptr string ref
dt_command_add_script int ptr string ref
dt_command_add_argument int ptr string string ref
dt_command_merge int ptr int ref
dt_command_end_statement int ptr ref
dt_command_describe int ptr string ref
dt_command_set int ptr string string ref
dt_command_free void ptr
dt_invocation_next int ptr uint ref ref
dt_invocation_wait_any int handles size uint refsize ref
dt_invocation_send int ptr string uint ref
dt_invocation_end_input int ptr ref
dt_invocation_reply int ptr long string ref
dt_invocation_reply_error int ptr long string string ref
dt_invocation_stop int ptr ref
dt_invocation_free void ptr
dt_item_kind int ptr
dt_item_clixml ptr ptr refsize
dt_item_command ptr ptr
dt_item_text ptr ptr
dt_item_has_secure_string int ptr
dt_item_call_id long ptr
dt_item_call_method int ptr
dt_item_free void ptr
dt_error_status int ptr
dt_error_message ptr ptr
dt_error_id ptr ptr
dt_error_category ptr ptr
dt_error_fact ptr ptr string
dt_error_record ptr ptr refsize
dt_error_free void ptr
'@

# Binds the table to the library: one type in memory, no compiler and no file. Every runspace of a process shares it.
# A call site that PowerShell meets for the first time costs a millisecond, so the sites here are few, and in loops.
function script:Initialize-Native([string] $Library) {
    $slot = "DelegatedTenant:$Library"
    $native = [AppDomain]::CurrentDomain.GetData($slot)
    if ($native) { return $native }
    $types = @{
        void = [void]; int = [int]; uint = [uint32]; long = [long]; ulong = [uint64]; ptr = [IntPtr]; string = [string]; bytes = [byte[]]; handles = [IntPtr[]]; size = [UIntPtr]
        ref = [IntPtr].MakeByRefType(); refsize = [UIntPtr].MakeByRefType()
    }
    # [MarshalAs(UnmanagedType.LPUTF8Str)], as metadata has it: a Windows string would otherwise leave in the ANSI code page. .NET
    # Framework knows it from 4.7 on, and Server 2016 comes with 4.6.2.
    $marshalAs = [Runtime.InteropServices.MarshalAsAttribute].GetConstructor([type[]] (, [Runtime.InteropServices.UnmanagedType]))
    $asUtf8 = [byte[]] (1, 0, 48, 0, 0, 0, 0, 0)
    $assembly = [Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly([Reflection.AssemblyName] 'DelegatedTenant.Native', 'Run')
    $builder = $assembly.DefineDynamicModule('DelegatedTenant.Native').DefineType('DelegatedTenant.Native', 'Public, Abstract, Sealed')
    $write = if (-not ('LPUTF8Str' -as [Runtime.InteropServices.UnmanagedType])) { Add-Utf8Writer $builder }
    $table = $script:NativeTable
    # .NET Framework cannot read a NUL-ended UTF-8 string by itself.
    if (-not $script:Edition.Utf8Pointers) { $table += "`nlstrlenA int ptr" }
    foreach ($line in $table.Split("`n")) {
        # A checkout or an editor on Windows may have given the file other line ends.
        $words = $line.TrimEnd().Split(' ')
        $takes = [type[]] @(for ($i = 2; $i -lt $words.Count; $i++) { $types[$words[$i]] })
        $from = if ($words[0] -eq 'lstrlenA') { 'kernel32.dll' } else { $Library }
        if ($write -and $takes -contains [string]) { Add-Utf8Method $builder $words[0] $from $types[$words[1]] $takes $write; continue }
        $method = $builder.DefinePInvokeMethod($words[0], $from, 'Public, Static, PinvokeImpl', 'Standard', $types[$words[1]], $takes, 'Cdecl', 'None')
        $method.SetImplementationFlags('PreserveSig')
        for ($i = 2; $i -lt $words.Count; $i++) {
            if ($words[$i] -eq 'string') { $method.DefineParameter($i - 1, 'None', $null).SetCustomAttribute($marshalAs, $asUtf8) }
        }
    }
    $native = $builder.CreateType()
    $abi = $native::dt_abi_version()
    if ($abi -ne 1) { throw [InvalidOperationException]::new("The library $Library has version $abi of the interface, this module wants version 1. Install a module and a library of one release.") }
    [AppDomain]::CurrentDomain.SetData($slot, $native)
    $native
}

# static byte[] WriteUtf8(string text) { return text == null ? null : Encoding.UTF8.GetBytes(text + "\0"); }
function script:Add-Utf8Writer($Builder) {
    $op = [Reflection.Emit.OpCodes]
    $method = $Builder.DefineMethod('WriteUtf8', 'Private, Static', [byte[]], [type[]] (, [string]))
    $il = $method.GetILGenerator()
    $some = $il.DefineLabel()
    $il.Emit($op::Ldarg_0); $il.Emit($op::Brtrue, $some); $il.Emit($op::Ldnull); $il.Emit($op::Ret)
    $il.MarkLabel($some)
    $il.Emit($op::Call, [Text.Encoding].GetMethod('get_UTF8')); $il.Emit($op::Ldarg_0); $il.Emit($op::Ldstr, "`0")
    $il.Emit($op::Call, [string].GetMethod('Concat', [type[]] ([string], [string])))
    $il.Emit($op::Callvirt, [Text.Encoding].GetMethod('GetBytes', [type[]] (, [string]))); $il.Emit($op::Ret)
    $method
}

# A function of the library as it is, taking bytes, and one before it that makes them of strings.
function script:Add-Utf8Method($Builder, [string] $Name, [string] $From, [type] $Returns, [type[]] $Takes, $Write) {
    $op = [Reflection.Emit.OpCodes]
    $raw = [type[]] @(foreach ($type in $Takes) { if ($type -eq [string]) { [byte[]] } else { $type } })
    $method = $Builder.DefinePInvokeMethod($Name, $From, 'Private, Static, PinvokeImpl', 'Standard', $Returns, $raw, 'Cdecl', 'None')
    $method.SetImplementationFlags('PreserveSig')
    $il = $Builder.DefineMethod($Name, 'Public, Static', $Returns, $Takes).GetILGenerator()
    for ($i = 0; $i -lt $Takes.Count; $i++) {
        $il.Emit($op::Ldarg_S, [byte] $i)
        if ($Takes[$i] -eq [string]) { $il.Emit($op::Call, $Write) }
    }
    $il.Emit($op::Call, $method); $il.Emit($op::Ret)
}

function script:Read-Utf8([IntPtr] $Text) {
    if ($Text -eq [IntPtr]::Zero) { return }
    if ($script:Edition.Utf8Pointers) { return [Runtime.InteropServices.Marshal]::PtrToStringUTF8($Text) } # 7: .NET Framework has no such method
    $bytes = [Array]::CreateInstance([byte], $script:Native::lstrlenA($Text))
    [Runtime.InteropServices.Marshal]::Copy($Text, $bytes, 0, $bytes.Length)
    [Text.Encoding]::UTF8.GetString($bytes)
}

# Reads a dt_text and frees it.
function script:Read-Text([IntPtr] $Text) {
    $length = [UIntPtr]::Zero
    try { Read-Utf8 ($script:Native::dt_text_data($Text, [ref] $length)) } finally { $script:Native::dt_text_free($Text) }
}
