<#
.SYNOPSIS
Tries the module on this machine and prints PASS or FAIL by line; the exit code is the number of failures.
.DESCRIPTION
Runs on Windows PowerShell 5.1 and on PowerShell 7, needs no rights, installs nothing and changes nothing. With ConnectionUri it also
opens a session, runs one command and closes it.
.EXAMPLE
powershell -NoProfile -ExecutionPolicy Bypass -File smoke.ps1 -Module C:\Modules\DelegatedTenant
#>
[CmdletBinding()]
param(
    [string] $Module = "$PSScriptRoot/../../module/DelegatedTenant",
    [uri] $ConnectionUri,
    [string] $Organization = 'fabrikam.com',
    [pscredential] $Credential
)
$script:Failures = 0
function Test-Line([string] $What, [scriptblock] $Check) {
    try {
        $said = & $Check
        if ("$said" -like 'SKIP*') { "$said ($What)" } else { "PASS $What$(if ($said) { ": $said" })" }
    }
    catch {
        $script:Failures++
        "FAIL ${What}: $($_.Exception.Message)"
    }
}
# Asks a private function of the module.
function Invoke-Inside([scriptblock] $Block) { & (Get-Module DelegatedTenant) $Block }

"$($PSVersionTable.PSEdition) $($PSVersionTable.PSVersion) on $([Environment]::OSVersion.VersionString), $(8 * [IntPtr]::Size) bit, user $([Environment]::UserName)"
$ErrorActionPreference = 'Stop'
Test-Line 'the execution policy allows scripts' { "$(Get-ExecutionPolicy)" }
Test-Line 'the module is imported' { Import-Module $Module -Force -Global; "$((Get-Module DelegatedTenant).Version)" }
Test-Line 'the library is found and bound' { Invoke-Inside { Initialize-Module; "$script:Library, version $(Read-Utf8 ($script:Native::dt_version()))" } }
Test-Line 'help is there' { if ((Get-Help Connect-DelegatedTenant).Synopsis -notmatch 'session') { throw 'no synopsis' } }
Test-Line 'the formats are loaded' { if (-not (Get-FormatData DelegatedTenant.Session)) { throw 'no view of a session' } }
Test-Line 'no server: the error is the one of New-PSSession' {
    try { Connect-DelegatedTenant https://127.0.0.1:9/ -Credential ([pscredential]::new('a', [securestring]::new())) -NoProxy -OpenTimeout 20000; throw 'it connected' }
    catch { if ($_.FullyQualifiedErrorId -notlike 'CannotConnect,PSSessionOpenFailed*') { throw "$($_.FullyQualifiedErrorId): $_" } }
}
Test-Line 'a name that is not ASCII goes through and comes back' {
    try { Connect-DelegatedTenant "https://127.0.0.1:9/" -Organization ("gr" + [char] 252 + "n.example") -Name ("K" + [char] 228 + "fer") -Credential ([pscredential]::new('a', [securestring]::new())) -NoProxy; throw 'it connected' }
    catch { if ("$($_.TargetObject.Name)" -ne ("K" + [char] 228 + "fer")) { throw "the session is called '$($_.TargetObject.Name)'" } }
}
Test-Line 'a secret goes into CLIXML and out of it' {
    $secret = [securestring]::new()
    foreach ($c in 'abc'.ToCharArray()) { $secret.AppendChar($c) }
    $back = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($secret))
    if ([pscredential]::new('a', $back).GetNetworkCredential().Password -cne 'abc') { throw 'it is another one' }
}
foreach ($type in 'IEConfig', 'WinHttpConfig', 'AutoDetect') {
    Test-Line "the proxy by $type" { if ($env:OS -ne 'Windows_NT') { return 'SKIP not Windows' }; Invoke-Inside ([scriptblock]::Create("Get-SystemProxy $type 'https://outlook.office365.com'")) }
}
Test-Line 'the ledger can be read' { "$(@(Get-DelegatedTenant -All).Count) entries" }
Test-Line 'a session opens, answers and closes' {
    if (-not $ConnectionUri) { return 'SKIP no ConnectionUri was given' }
    $with = @{ ConnectionUri = $ConnectionUri; Organization = $Organization; Credential = $Credential; AllowRedirection = $true }
    if ($ConnectionUri.Scheme -eq 'http' -and $ConnectionUri.IsLoopback) { $with.AllowUnencrypted = $true }
    if (-not $Credential -and $env:DT_PASSWORD) {
        $secret = [securestring]::new()
        foreach ($c in $env:DT_PASSWORD.ToCharArray()) { $secret.AppendChar($c) }
        $with.Credential = [pscredential]::new('admin@partner.com', $secret)
    }
    $session = Connect-DelegatedTenant @with
    try { "$(@(Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize 5 } -WarningAction SilentlyContinue).Count) mailboxes" }
    finally { Disconnect-DelegatedTenant $session }
    if ("$($session.State)" -ne 'Closed') { throw "the session is $($session.State)" }
}
Test-Line 'the module is removed' { Remove-Module DelegatedTenant }
if ($script:Failures) { "$script:Failures FAILED" } else { 'all PASS' }
exit $script:Failures
