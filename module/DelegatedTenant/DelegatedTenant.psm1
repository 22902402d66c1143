# Defines the three commands. What they are made of is loaded, and the library found and bound, when the first of them runs: an import
# costs little more than PowerShell's own part of it. Nothing here or on a hot path calls a cmdlet outside
# Microsoft.PowerShell.Core, because the first call of one loads its module and costs a tenth of a second.
foreach ($name in 'Connect-DelegatedTenant', 'Invoke-TenantCmdlet', 'Disconnect-DelegatedTenant') { . "$PSScriptRoot/Public/$name.ps1" }

$script:Native = $null
# Sessions that this module has opened and not closed, by Id as text.
$script:Sessions = [ordered] @{}

function Initialize-Module {
    if ($script:Native) { return }
    # The files name their functions script:, since they are read from within this one.
    foreach ($name in 'Library', 'Native', 'Lifetime', 'Failure', 'Clixml', 'Session', 'Command', 'HostCall', 'Invocation') { . "$PSScriptRoot/Private/$name.ps1" }
    $script:Library = Find-NativeLibrary $PSScriptRoot
    $script:Native = Initialize-Native $script:Library
    $ExecutionContext.SessionState.Module.OnRemove = { Close-EverySession }
}
