# The PowerShell half of benches/speed: prints one "name value" a line.
param(
    [string] $Module,
    [string] $Uri,          # the simulated tenant
    [string] $Documents,    # the same records, one CLIXML document a line
    [string] $EndpointUri,  # the genuine server behind WSMan
    [string] $Endpoint      # its folder, for the native client
)
$ErrorActionPreference = 'Stop'
$WarningPreference = 'SilentlyContinue'
Import-Module $Module

$password = [System.Security.SecureString]::new()
foreach ($character in 'secret'.ToCharArray()) { $password.AppendChar($character) }
$credential = [pscredential]::new('admin@partner.com', $password)

function Measure-Seconds([scriptblock] $Block) {
    [GC]::Collect()
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $null = & $Block
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
    $alone += Measure-Seconds { $script:kept = foreach ($text in $texts) { [System.Management.Automation.PSSerializer]::Deserialize($text) } }
    if ($kept.Count -ne $texts.Length) { throw "deserialized $($kept.Count) of $($texts.Length)" }
    $kept = $null
    $streamed += Measure-Seconds { $script:kept = Invoke-TenantCmdlet -Session $session -CommandName Get-Mailbox -Parameters @{ ResultSize = 'Unlimited' } }
    if ($kept.Count -ne $texts.Length) { throw "received $($kept.Count) of $($texts.Length)" }
}
$kept = $null
Disconnect-DelegatedTenant $session
"deserialize $($texts.Length / (Get-Least $alone))"
"invoke $($texts.Length / (Get-Least $streamed))"

# Open, one cmdlet, close; and one cmdlet of an open session, where what opening costs is paid.
$env:PSModulePath = [System.IO.Path]::Combine($Endpoint, 'Modules') + [System.IO.Path]::PathSeparator + $env:PSModulePath
$configuration = [System.IO.Path]::Combine($Endpoint, 'tenant.pssc')
$cmdlet = { Get-AcceptedDomain }
$sides = @{
    native = @{
        Open   = { New-EngineSession $configuration -ComputerName 127.0.0.1 }
        Invoke = { Invoke-Command -Session $session $cmdlet }
        Close  = { Remove-PSSession $session }
    }
    ours   = @{
        Open   = { Connect-DelegatedTenant -ConnectionUri $EndpointUri -Credential $credential -AllowUnencrypted }
        Invoke = { Invoke-TenantCmdlet -Session $session $cmdlet }
        Close  = { Disconnect-DelegatedTenant $session }
    }
}
$times = @{}
foreach ($round in 1..6) {
    foreach ($name in 'native', 'ours') {
        $side = $sides[$name]
        $seconds = @{}
        $seconds.open = Measure-Seconds { $script:session = & $side.Open }
        $seconds.first = Measure-Seconds { & $side.Invoke }
        $seconds.call = (Measure-Seconds { foreach ($i in 1..50) { & $side.Invoke } }) / 50
        $seconds.close = Measure-Seconds { & $side.Close }
        $seconds.whole = $seconds.open + $seconds.first + $seconds.close
        # The first round pays for what each side loads once.
        if ($round -gt 1) { foreach ($what in $seconds.Keys) { $times["$what-$name"] += , $seconds[$what] } }
    }
}
foreach ($what in $times.Keys) { "$what $(Get-Least $times[$what])" }
