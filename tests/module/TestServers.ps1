# Servers for the tests: the engine behind endpoint.py, the engine's own client on the same server, the simulated tenant.
# Dot-source it in BeforeAll. DT_SHARED names the shared folder (else ../shared beside the checkout), DT_SIM the simulator.

# The user's own ledger of open sessions is none of the tests' business.
if (-not $env:DT_LEDGER) { $env:DT_LEDGER = 'none' }
$script:TestRoot = $PSScriptRoot
$script:Checkout = [IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..', '..'))
$script:Shared = if ($env:DT_SHARED) { $env:DT_SHARED } else { [IO.Path]::GetFullPath([IO.Path]::Combine($script:Checkout, '..', 'shared')) }
# endpoint.py names files by their real paths; so does the judge then.
$real = [IO.Directory]::ResolveLinkTarget($script:Shared, $true) # 7: the judge runs only there
if ($real) { $script:Shared = $real.FullName }
$script:Started = [System.Collections.Generic.List[object]]::new()

function Import-ModuleUnderTest { Import-Module ([IO.Path]::Combine($script:Checkout, 'module', 'DelegatedTenant', 'DelegatedTenant.psd1')) -Global -Force }

function New-TestCredential([string] $User = 'admin@partner.com', [string] $Password = 'secret') {
    $secret = [securestring]::new()
    foreach ($c in $Password.ToCharArray()) { $secret.AppendChar($c) }
    [pscredential]::new($User, $secret)
}

# Starts a program and gives the first URL that it prints.
function Start-TestServer([string] $Program, [string[]] $Arguments) {
    if ($env:DT_SERVERS) { return Start-LinuxServer $Program $Arguments }
    $start = [Diagnostics.ProcessStartInfo]::new($Program)
    $start.Arguments = ($Arguments | ForEach-Object { '"' + $_ + '"' }) -join ' '
    $start.RedirectStandardOutput = $true
    # Some end with their standard input, and ours may be over.
    $start.RedirectStandardInput = $true
    $start.UseShellExecute = $false
    $process = [Diagnostics.Process]::Start($start)
    $script:Started.Add($process)
    while ($null -ne ($line = $process.StandardOutput.ReadLine())) {
        if ($line -match 'https?://[^\s"'']+') {
            $uri = $Matches[0]
            # What it prints later must not fill the pipe and stop it.
            $null = $process.StandardOutput.ReadToEndAsync()
            return @{ Process = $process; Uri = $uri }
        }
    }
    throw "$Program $Arguments ended without printing an address."
}

# In wine: the test that runs this starts the program on the Linux side, and ends it when the connection ends. Gives as much of a Process
# as tests use.
function Start-LinuxServer([string] $Program, [string[]] $Arguments) {
    $client = [Net.Sockets.TcpClient]::new('127.0.0.1', [int] $env:DT_SERVERS)
    $stream = $client.GetStream()
    $list = @($Arguments | Where-Object { $null -ne $_ } | ForEach-Object { '"' + $_.Replace('\', '\\').Replace('"', '\"') + '"' })
    $bytes = [Text.Encoding]::UTF8.GetBytes('{"program":"' + $Program.Replace('\', '\\') + '","arguments":[' + ($list -join ',') + "]}`n")
    $stream.Write($bytes, 0, $bytes.Length)
    $reader = [IO.StreamReader]::new($stream)
    $line = $reader.ReadLine()
    if (-not $line) { throw "$Program $Arguments ended without printing an address." }
    $answer = $line | ConvertFrom-Json
    $process = [pscustomobject] @{ Id = $answer.id; HasExited = $false; Client = $client; Reader = $reader }
    $process | Add-Member ScriptMethod Kill { if (-not $this.HasExited) { $this.HasExited = $true; $this.Client.Client.Shutdown('Send') } }
    # The connection ends when the program has.
    $process | Add-Member ScriptMethod WaitForExit { try { $null = $this.Reader.ReadToEnd() } catch { $null = $_ } }
    $process | Add-Member ScriptMethod Dispose { $this.Client.Close() }
    $script:Started.Add($process)
    @{ Process = $process; Uri = $answer.uri }
}

function Start-Endpoint([string[]] $Arguments) {
    Start-TestServer 'python3' (@('-u', "$script:Checkout/tests/interop/endpoint.py", "$script:Shared/endpoint", '--port', '0') + @($Arguments | Where-Object { $_ }))
}

function Start-Simulator([string[]] $Arguments) { Start-TestServer $env:DT_SIM (@('--port', '0') + @($Arguments | Where-Object { $_ })) }

function Get-EndpointStat($Server) {
    $uri = [uri] $Server.Uri
    $client = [Net.Sockets.TcpClient]::new($uri.Host, $uri.Port)
    try {
        $stream = $client.GetStream()
        $request = [Text.Encoding]::ASCII.GetBytes("GET /stats HTTP/1.0`r`n`r`n")
        $stream.Write($request, 0, $request.Length)
        $text = [IO.StreamReader]::new($stream).ReadToEnd()
    }
    finally { $client.Close() }
    $stats = @{}
    foreach ($line in $text -split "`r?`n") { if ($line -match '^([\w-]+) (\d+)$') { $stats[$Matches[1]] = [int] $Matches[2] } }
    $stats
}

# Asks a simulated tenant about itself, or tells it something.
function Invoke-Simulator($Server, [string] $Path, [string] $Method = 'GET', [string] $Body) {
    $client = [Net.Http.HttpClient]::new()
    $request = [Net.Http.HttpRequestMessage]::new($Method, [uri]::new([uri] $Server.Uri, $Path))
    if ($Body) { $request.Content = [Net.Http.StringContent]::new($Body) }
    try { $client.SendAsync($request).GetAwaiter().GetResult().EnsureSuccessStatusCode().Content.ReadAsStringAsync().GetAwaiter().GetResult() }
    finally { $client.Dispose() }
}

function Get-SimulatorStat($Server) { Invoke-Simulator $Server '/sim/stats' | ConvertFrom-Json }

function Connect-Endpoint($Server, [hashtable] $With = @{}) {
    Connect-DelegatedTenant -ConnectionUri $Server.Uri -Credential (New-TestCredential) -AllowUnencrypted -ErrorAction Stop @With
}

# Arms faults: kind[=value][@operation[:n]].
function Set-SimulatorFault($Server, [string[]] $Fault) { $null = Invoke-Simulator $Server '/sim/faults' 'POST' ($Fault -join "`n") }

# Disarms them, and ends a delay that one has caused.
function Clear-SimulatorFault($Server) { $null = Invoke-Simulator $Server '/sim/faults' 'DELETE' }

# The judge: a genuine PSSession on the same server.
function New-JudgeSession([string] $Configuration) {
    $modules = "$script:Shared/endpoint/Modules"
    if ($env:PSModulePath -notlike "$modules*") { $env:PSModulePath = $modules + [IO.Path]::PathSeparator + $env:PSModulePath }
    New-EngineSession $Configuration -ComputerName 127.0.0.1
}

function Stop-TestServers {
    foreach ($process in $script:Started) {
        if (-not $process.HasExited) { $process.Kill() }
        $process.WaitForExit()
        $process.Dispose()
    }
    $script:Started.Clear()
}
