// Lists an organization's mailboxes through the C library. With the library beside the program:
//     DT_PASSWORD=... dotnet run -- https://mail.hoster.example/PowerShell fabrikam.com admin@partner.com
using System;
using System.Runtime.InteropServices;
using System.Text;

static class Mailboxes
{
    const string Library = "delegated_tenant";
    [DllImport(Library)] static extern int dt_options_new(out IntPtr options, out IntPtr error);
    [DllImport(Library)] static extern int dt_options_set(IntPtr options, [MarshalAs(UnmanagedType.LPUTF8Str)] string key, [MarshalAs(UnmanagedType.LPUTF8Str)] string value, out IntPtr error);
    [DllImport(Library)] static extern int dt_options_set_secret(IntPtr options, [MarshalAs(UnmanagedType.LPUTF8Str)] string key, byte[] value, nuint length, out IntPtr error);
    [DllImport(Library)] static extern int dt_session_connect(IntPtr options, IntPtr cancel, out IntPtr session, out IntPtr error);
    [DllImport(Library)] static extern int dt_session_disconnect(IntPtr session, uint waitMs, out IntPtr error);
    [DllImport(Library)] static extern int dt_command_new(out IntPtr command, out IntPtr error);
    [DllImport(Library)] static extern int dt_command_add(IntPtr command, [MarshalAs(UnmanagedType.LPUTF8Str)] string name, out IntPtr error);
    [DllImport(Library)] static extern int dt_command_add_int(IntPtr command, [MarshalAs(UnmanagedType.LPUTF8Str)] string name, long value, out IntPtr error);
    [DllImport(Library)] static extern int dt_session_invoke(IntPtr session, IntPtr command, out IntPtr invocation, out IntPtr error);
    [DllImport(Library)] static extern int dt_invocation_next(IntPtr invocation, uint waitMs, out IntPtr item, out IntPtr error);
    [DllImport(Library)] static extern int dt_item_kind(IntPtr item);
    [DllImport(Library)] static extern IntPtr dt_item_clixml(IntPtr item, IntPtr length);
    [DllImport(Library)] static extern void dt_item_free(IntPtr item);
    [DllImport(Library)] static extern IntPtr dt_error_message(IntPtr error);

    // From 100 on a status is an error. A program that goes on after one frees it, by dt_error_free.
    static int Checked(int status, IntPtr error) => status < 100 ? status : throw new InvalidOperationException(Marshal.PtrToStringUTF8(dt_error_message(error)));

    static void Main(string[] arguments)
    {
        Checked(dt_options_new(out var options, out var error), error);
        Checked(dt_options_set(options, "uri", arguments[0], out error), error);
        Checked(dt_options_set(options, "organization", arguments[1], out error), error);
        Checked(dt_options_set(options, "user", arguments[2], out error), error);
        if (arguments[0].StartsWith("http://127.0.0.1")) Checked(dt_options_set(options, "allow_unencrypted", "true", out error), error);
        var password = Encoding.UTF8.GetBytes(Environment.GetEnvironmentVariable("DT_PASSWORD") ?? "");
        Checked(dt_options_set_secret(options, "password", password, (nuint)password.Length, out error), error);
        Checked(dt_session_connect(options, IntPtr.Zero, out var session, out error), error);
        try
        {
            Checked(dt_command_new(out var command, out error), error);
            Checked(dt_command_add(command, "Get-Mailbox", out error), error);
            Checked(dt_command_add_int(command, "ResultSize", 10, out error), error);
            Checked(dt_session_invoke(session, command, out var invocation, out error), error);
            for (; Checked(dt_invocation_next(invocation, uint.MaxValue, out var item, out error), error) == 0; dt_item_free(item))
                if (dt_item_kind(item) == 1) Console.WriteLine(Marshal.PtrToStringUTF8(dt_item_clixml(item, IntPtr.Zero)));
        }
        finally { Checked(dt_session_disconnect(session, uint.MaxValue, out error), error); }
    }
}
