// As much of the C library as Mailboxes.cs calls; delegated_tenant.h says what each function does. It is looked for beside the program
// and where the system looks for libraries (PATH, LD_LIBRARY_PATH).
using System;
using System.Runtime.InteropServices;

static class DelegatedTenant
{
    const string Library = "delegated_tenant";
    const UnmanagedType Utf8 = UnmanagedType.LPUTF8Str;
    public const int ItemOutput = 1, ItemError = 2, ItemWarning = 3, StatusEnd = 2;
    public const uint Forever = uint.MaxValue;

    [DllImport(Library)] public static extern int dt_options_new(out IntPtr options, out IntPtr error);
    [DllImport(Library)] public static extern int dt_options_set(IntPtr options, [MarshalAs(Utf8)] string key, [MarshalAs(Utf8)] string value, out IntPtr error);
    [DllImport(Library)] public static extern int dt_options_set_secret(IntPtr options, [MarshalAs(Utf8)] string key, byte[] value, UIntPtr length, out IntPtr error);
    [DllImport(Library)] public static extern void dt_options_free(IntPtr options);
    [DllImport(Library)] public static extern int dt_session_connect(IntPtr options, IntPtr cancel, out IntPtr session, out IntPtr error);
    [DllImport(Library)] public static extern int dt_session_disconnect(IntPtr session, uint waitMs, out IntPtr error);
    [DllImport(Library)] public static extern void dt_session_free(IntPtr session);
    [DllImport(Library)] public static extern int dt_command_new(out IntPtr command, out IntPtr error);
    [DllImport(Library)] public static extern int dt_command_add(IntPtr command, [MarshalAs(Utf8)] string name, out IntPtr error);
    [DllImport(Library)] public static extern int dt_command_add_int(IntPtr command, [MarshalAs(Utf8)] string name, long value, out IntPtr error);
    [DllImport(Library)] public static extern void dt_command_free(IntPtr command);
    [DllImport(Library)] public static extern int dt_session_invoke(IntPtr session, IntPtr command, out IntPtr invocation, out IntPtr error);
    [DllImport(Library)] public static extern int dt_invocation_next(IntPtr invocation, uint waitMs, out IntPtr item, out IntPtr error);
    [DllImport(Library)] public static extern void dt_invocation_free(IntPtr invocation);
    [DllImport(Library)] public static extern int dt_item_kind(IntPtr item);
    [DllImport(Library)] static extern IntPtr dt_item_clixml(IntPtr item, IntPtr length);
    [DllImport(Library)] static extern IntPtr dt_item_text(IntPtr item);
    [DllImport(Library)] public static extern void dt_item_free(IntPtr item);
    [DllImport(Library)] static extern IntPtr dt_error_message(IntPtr error);
    [DllImport(Library)] static extern IntPtr dt_error_id(IntPtr error);
    [DllImport(Library)] static extern IntPtr dt_error_fact(IntPtr error, [MarshalAs(Utf8)] string name);
    [DllImport(Library)] static extern void dt_error_free(IntPtr error);

    static string Of(IntPtr borrowed) => Marshal.PtrToStringUTF8(borrowed);
    public static string Clixml(IntPtr item) => Of(dt_item_clixml(item, IntPtr.Zero));
    public static string Text(IntPtr item) => Of(dt_item_text(item)) ?? Clixml(item);

    // From 100 on a status is an error, and the last argument of the call holds what it was.
    public static int Check(int status, IntPtr error)
    {
        if (status < 100) return status;
        var failure = new InvalidOperationException($"{Of(dt_error_message(error))} ({Of(dt_error_id(error))})\n{Of(dt_error_fact(error, "remedy"))}");
        dt_error_free(error);
        throw failure;
    }
}
