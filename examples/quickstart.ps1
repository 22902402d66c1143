<#
.SYNOPSIS
Connects to a tenant, shows some of its mailboxes and disconnects.
.DESCRIPTION
`cargo run --example quickstart` runs this against a simulated tenant. The password comes from DT_PASSWORD, or is asked for.
.EXAMPLE
./examples/quickstart.ps1 -ConnectionUri http://127.0.0.1:5985/powershell-liveid -UserName admin@partner.com -Organization contoso.com
#>
[CmdletBinding()]
param(
    [uri] $ConnectionUri = 'https://ps.outlook.com/powershell-liveid',
    [string] $UserName = 'admin@partner.com',
    [string] $Organization
)
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/../module/DelegatedTenant/DelegatedTenant.psd1"

$password = [securestring]::new()
if ($env:DT_PASSWORD) { foreach ($character in $env:DT_PASSWORD.ToCharArray()) { $password.AppendChar($character) } }
$with = @{
    ConnectionUri    = $ConnectionUri
    Credential       = if ($password.Length) { [pscredential]::new($UserName, $password) } else { Get-Credential $UserName }
    AllowRedirection = $true
}
if ($Organization) { $with.Organization = $Organization }
# A simulated tenant on this computer speaks http; a real one never does.
if ($ConnectionUri.Scheme -eq 'http' -and $ConnectionUri.IsLoopback) { $with.AllowUnencrypted = $true }

$session = Connect-DelegatedTenant @with
$session | Format-Table Id, Name, Organization, ComputerName, State, Availability
Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-Mailbox -ResultSize 5 } -WarningAction SilentlyContinue |
    Format-Table Name, DisplayName, PrimarySmtpAddress, RecipientTypeDetails
Disconnect-DelegatedTenant -Session $session
"The session is $($session.State)."
