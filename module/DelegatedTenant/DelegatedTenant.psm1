# Defines the commands. What they are made of is loaded, and the library found and bound, when the first of them runs: an import
# costs little more than PowerShell's own part of it. Nothing here or on a hot path calls a cmdlet outside
# Microsoft.PowerShell.Core, because the first call of one loads its module and costs a tenth of a second.
foreach ($name in 'Connect-DelegatedTenant', 'Get-DelegatedTenant', 'Disconnect-DelegatedTenant', 'Import-DelegatedTenant') { . "$PSScriptRoot/Public/$name.ps1" }
# A pipeline that breaks off above Invoke-TenantCmdlet (Ctrl+C, a throw) runs nothing of it but a clean block, which PowerShell before
# 7.3 cannot even read. There, what is left running is found when the session is next used.
$path = "$PSScriptRoot/Public/Invoke-TenantCmdlet.ps1"
if ($PSVersionTable.PSVersion -ge [version] '7.3') {
    $text = [IO.File]::ReadAllText($path)
    $text = $text.Insert($text.LastIndexOf('}'), '    clean { if ($flow) { Stop-Flow $flow } }' + "`n")
    . ([System.Management.Automation.Language.Parser]::ParseInput($text, $path, [ref] $null, [ref] $null).GetScriptBlock())
}
else { . $path }

$script:Native = $null
# Sessions that this module has opened and not closed, by Id as text.
$script:Sessions = [ordered] @{}

function Initialize-Module {
    if ($script:Native) { return }
    # The files name their functions script:, since they are read from within this one.
    foreach ($name in 'Library', 'Native', 'Lifetime', 'Failure', 'Clixml', 'Session', 'Selection', 'Command', 'HostCall', 'Invocation', 'Flow', 'Job', 'Completion') { . "$PSScriptRoot/Private/$name.ps1" }
    $script:Library = Find-NativeLibrary $PSScriptRoot
    $script:Native = Initialize-Native $script:Library
    $ExecutionContext.SessionState.Module.OnRemove = { Close-EverySession }
}
