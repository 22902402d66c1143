# The PowerShell half of benches/speed: prints one "name value" a line.
param(
    [string] $Module,
    [string] $Uri,          # the simulated tenant
    [string] $Documents,    # the same records, one CLIXML document a line
    [string] $EndpointUri,  # the genuine server behind WSMan
    [string] $Endpoint      # its folder, for the native client
)
$ErrorActionPreference = 'Stop'
Import-Module $Module

$password = [System.Security.SecureString]::new()
foreach ($character in 'secret'.ToCharArray()) { $password.AppendChar($character) }
$credential = [pscredential]::new('admin@partner.com', $password)

function Measure-Seconds([scriptblock] $Block) {
    [GC]::Collect()
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $null = . $Block
    $watch.Elapsed.TotalSeconds
}

function Get-Least([double[]] $Values) { [System.Linq.Enumerable]::Min($Values) }

# Objects a second: turn about, the best of three, everything kept as a script would keep it.
$texts = [System.IO.File]::ReadAllLines($Documents)
$session = Connect-DelegatedTenant -ConnectionUri $Uri -Credential $credential -AllowUnencrypted
$alone = @()
$streamed = @()
foreach ($round in 1..3) {
    $kept = $null
    $alone += Measure-Seconds { $kept = foreach ($text in $texts) { [System.Management.Automation.PSSerializer]::Deserialize($text) } }
    if ($kept.Count -ne $texts.Length) { throw "deserialized $($kept.Count) of $($texts.Length)" }
    $kept = $null
    $streamed += Measure-Seconds { $kept = Invoke-TenantCmdlet -Session $session -CommandName Get-Mailbox -Parameters @{ ResultSize = 'Unlimited' } }
    if ($kept.Count -ne $texts.Length) { throw "received $($kept.Count) of $($texts.Length)" }
}
$kept = $null
Disconnect-DelegatedTenant $session
"deserialize $($texts.Length / (Get-Least $alone))"
"invoke $($texts.Length / (Get-Least $streamed))"

# Open, one cmdlet, close; and one cmdlet of an open session.
$env:PSModulePath = [System.IO.Path]::Combine($Endpoint, 'Modules') + [System.IO.Path]::PathSeparator + $env:PSModulePath
$configuration = [System.IO.Path]::Combine($Endpoint, 'tenant.pssc')
$whole = @{ Ours = @(); Native = @() }
$call = @{ Ours = @(); Native = @() }
foreach ($round in 1..6) {
    $ours = @{}
    $native = @{}
    $seconds = @{}
    $seconds.Native = Measure-Seconds {
        $native.Session = New-EngineSession $configuration -ComputerName 127.0.0.1
        Invoke-Command -Session $native.Session { Get-Mailbox -ResultSize 1 }
        $native.Call = Measure-Seconds { foreach ($i in 1..20) { Invoke-Command -Session $native.Session { Get-Mailbox -ResultSize 1 } } }
        Remove-PSSession $native.Session
    }
    $seconds.Ours = Measure-Seconds {
        $ours.Session = Connect-DelegatedTenant -ConnectionUri $EndpointUri -Credential $credential -AllowUnencrypted
        Invoke-TenantCmdlet -Session $ours.Session { Get-Mailbox -ResultSize 1 }
        $ours.Call = Measure-Seconds { foreach ($i in 1..20) { Invoke-TenantCmdlet -Session $ours.Session { Get-Mailbox -ResultSize 1 } } }
        Disconnect-DelegatedTenant $ours.Session
    }
    # The first round pays for what each side loads once.
    if ($round -eq 1) { continue }
    $whole.Native += $seconds.Native - $native.Call
    $whole.Ours += $seconds.Ours - $ours.Call
    $call.Native += $native.Call / 20
    $call.Ours += $ours.Call / 20
}
foreach ($side in 'Ours', 'Native') {
    "whole-$side $(Get-Least $whole[$side])"
    "call-$side $(Get-Least $call[$side])"
}
