// Lists an organization's mailboxes through the C library:
//     DT_PASSWORD=... dotnet run -- https://mail.hoster.example/PowerShell fabrikam.com admin@partner.com
using System;
using System.Text;
using System.Xml;
using static DelegatedTenant;

static class Mailboxes
{
    static int Main(string[] arguments)
    {
        try { List(arguments[0], arguments[1], arguments[2], Environment.GetEnvironmentVariable("DT_PASSWORD") ?? ""); return 0; }
        catch (InvalidOperationException failure) { Console.Error.WriteLine(failure.Message); return 1; }
    }

    static void List(string uri, string organization, string user, string password)
    {
        Check(dt_options_new(out var options, out var error), error);
        Check(dt_options_set(options, "uri", uri, out error), error);
        Check(dt_options_set(options, "organization", organization, out error), error);
        Check(dt_options_set(options, "user", user, out error), error);
        if (uri.StartsWith("http://127.0.0.1")) // a simulated tenant on this machine
            Check(dt_options_set(options, "allow_unencrypted", "true", out error), error);
        var secret = Encoding.UTF8.GetBytes(password);
        Check(dt_options_set_secret(options, "password", secret, (UIntPtr)secret.Length, out error), error);
        Check(dt_session_connect(options, IntPtr.Zero, out var session, out error), error);
        try
        {
            Check(dt_command_new(out var command, out error), error);
            Check(dt_command_add(command, "Get-Mailbox", out error), error);
            Check(dt_command_add_int(command, "ResultSize", 10, out error), error);
            Check(dt_session_invoke(session, command, out var invocation, out error), error);
            for (; Check(dt_invocation_next(invocation, Forever, out var item, out error), error) != StatusEnd; dt_item_free(item))
                if (dt_item_kind(item) == ItemOutput)
                {
                    var record = new XmlDocument();
                    record.LoadXml(Clixml(item));
                    Console.WriteLine(record.SelectSingleNode("//*[@N='PrimarySmtpAddress']").InnerText);
                }
                else if (dt_item_kind(item) == ItemWarning || dt_item_kind(item) == ItemError)
                    Console.Error.WriteLine(Text(item));
            dt_invocation_free(invocation);
            dt_command_free(command);
        }
        finally { Check(dt_session_disconnect(session, Forever, out error), error); }
        dt_session_free(session);
        dt_options_free(options);
    }
}
