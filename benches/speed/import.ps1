# The import half of benches/speed: prints one "name value" a line.
param(
    [string] $Module,
    [string] $Uri,        # the simulated tenant
    [string] $Documents   # what it tells of its cmdlets, one CLIXML document a line
)
$ErrorActionPreference = 'Stop'
$WarningPreference = 'SilentlyContinue'
Import-Module $Module

$password = [System.Security.SecureString]::new()
foreach ($character in 'secret'.ToCharArray()) { $password.AppendChar($character) }
$session = Connect-DelegatedTenant -ConnectionUri $Uri -Credential ([pscredential]::new('admin@partner.com', $password)) -AllowUnencrypted
# The first is the one that counts: nobody imports twice. Each runs once.
$watch = [System.Diagnostics.Stopwatch]::StartNew()
$imported = Import-DelegatedTenant $session -AllowClobber
"first $($watch.Elapsed.TotalSeconds)"
"commands $($imported.ExportedFunctions.Count)"
$watch.Restart()
$null = Get-Command -Module $imported.Name -Syntax
"syntax $($watch.Elapsed.TotalSeconds)"
$null = Import-DelegatedTenant $session -AllowClobber
$watch.Restart()
$null = Import-DelegatedTenant $session -AllowClobber
"later $($watch.Elapsed.TotalSeconds)"
$watch.Restart()
Disconnect-DelegatedTenant $session
"removed $($watch.Elapsed.TotalSeconds)"
# What Import-PSSession begins with, and not what takes it longest.
$texts = [System.IO.File]::ReadAllLines($Documents)
$watch.Restart()
foreach ($text in $texts) { $null = [System.Management.Automation.PSSerializer]::Deserialize($text) }
"deserialize $($watch.Elapsed.TotalSeconds)"
"native $([int] [bool] (Get-Command Import-PSSession -ErrorAction Ignore))"
