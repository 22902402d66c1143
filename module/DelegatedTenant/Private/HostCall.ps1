# Calls that the server makes to the user's host (MS-PSRP 2.2.3.17), on the caller's thread and in stream order.

# What the server is told of the host when the session opens (MS-PSRP 2.2.3.14), so that it asks less and lays out text for the width
# of this screen. Nothing where the host has no screen.
function script:Get-HostData($HostOfCaller) {
    try {
        $raw = $HostOfCaller.UI.RawUI
        # A server that is told of a screen with nothing in it does not open.
        if ($raw.BufferSize -isnot [System.Management.Automation.Host.Size] -or $raw.CursorPosition -isnot [System.Management.Automation.Host.Coordinates]) { return }
        $in = 'System.Management.Automation.Host'
        $types = 'System.ConsoleColor', 'System.ConsoleColor', "$in.Coordinates", "$in.Coordinates", 'System.Int32', "$in.Size", "$in.Size", "$in.Size", "$in.Size", 'System.String'
        $values = [int] $raw.ForegroundColor, [int] $raw.BackgroundColor, (ConvertFrom-Place $raw.CursorPosition), (ConvertFrom-Place $raw.WindowPosition), [int] $raw.CursorSize,
            (ConvertFrom-Place $raw.BufferSize), (ConvertFrom-Place $raw.WindowSize), (ConvertFrom-Place $raw.MaxWindowSize), (ConvertFrom-Place $raw.MaxPhysicalWindowSize), [string] $raw.WindowTitle
        $data = @{}
        for ($i = 0; $i -lt $values.Count; $i++) { $data[$i] = New-Bag ([ordered] @{ T = $types[$i]; V = $values[$i] }) }
        [System.Management.Automation.PSSerializer]::Serialize((New-Bag @{ data = $data }), 4)
    }
    catch { $null }
}

# A property bag without a type name, as remoting writes them.
function script:New-Bag($Values) {
    $bag = [psobject]::new()
    $bag.PSObject.TypeNames.Clear()
    foreach ($name in $Values.Keys) { $bag.PSObject.Members.Add([psnoteproperty]::new($name, $Values[$name])) }
    $bag
}

# Whether anybody can answer. A host that knows it cannot ask throws by itself; these are the cases in which one would wait for ever.
function script:Test-Interactive {
    if (-not [Environment]::UserInteractive) { return $false }
    foreach ($argument in [Environment]::GetCommandLineArgs()) { if ($argument -match '^[-/]noni(n(t(e(r(a(c(t(i(v(e)?)?)?)?)?)?)?)?)?)?$') { return $false } }
    $true
}

# Answers one call. What the host refuses is told to the server, where the command fails: nothing hangs.
function script:Invoke-HostCall($Run, [IntPtr] $Item, $HostOfCaller) {
    $native = $script:Native
    $call = $native::dt_item_call_id($Item)
    $method = $native::dt_item_call_method($Item)
    $failure = [IntPtr]::Zero
    # Warning, verbose, debug and progress also come as records, which the caller can redirect; shown once is enough.
    if ($method -ge 19 -and $method -le 22) { return }
    $refusal = $null
    # What asks the user, where there is none: refused without an exception, which would be one more entry in -ErrorVariable.
    $asks = $method -in 11, 12, 23, 24, 25, 26, 46, 56
    if ($asks -and $HostOfCaller.IsJob) { $refusal = 'The command runs as a job, where nobody can answer its question. Run it without -AsJob, or so that it does not ask (-Confirm:$false, -Force).' }
    elseif ($asks -and -not (Test-Interactive)) { $refusal = 'PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.' }
    else {
        try {
            $text = Read-Document $Item 'dt_item_clixml'
            if ($native::dt_item_has_secure_string($Item)) { $text = ConvertFrom-SessionClixml $text $Run.Session }
            $parameters = @([System.Management.Automation.PSSerializer]::Deserialize($text))
            if ($parameters.Count -eq 1 -and $parameters[0] -is [System.Collections.IList]) { $parameters = @($parameters[0]) }
            $answer = Invoke-HostMethod $method $parameters $HostOfCaller $Run
            if ($call -eq -100) { return }
            Assert-Native ($native::dt_invocation_reply($Run.Pointer, $call, (ConvertTo-SessionClixml $answer $Run.Session), [ref] $failure)) $failure
        }
        catch {
            # The server is told, and its command says so: the same again would stand in the caller's $Error.
            if ($global:Error.Count -and $global:Error[0].Exception -eq $_.Exception) { $global:Error.RemoveAt(0) }
            $inner = $_.Exception
            while ($inner.InnerException) { $inner = $inner.InnerException }
            $refusal = $inner.Message
        }
    }
    if ($null -ne $refusal -and $call -ne -100) {
        $status = $native::dt_invocation_reply_error($Run.Pointer, $call, $refusal, 'HostFunctionNotAvailable', [ref] $failure)
        if ($status -ge 100) { $native::dt_error_free($failure) }
    }
}

function script:Invoke-HostMethod([int] $Method, $Parameters, $HostOfCaller, $Run) {
    $ui = $HostOfCaller.UI
    $p = $Parameters
    switch ($Method) {
        1 { $HostOfCaller.Name }
        2 { $HostOfCaller.Version }
        3 { $HostOfCaller.InstanceId }
        4 { $HostOfCaller.CurrentCulture }
        5 { $HostOfCaller.CurrentUICulture }
        # The server may end its session, not the user's PowerShell.
        6 { $null = Close-Session $Run.Session 0 }
        { $_ -in 7, 8, 52, 53, 55 } { throw [NotSupportedException]::new('Nested prompts and pushed runspaces are not available in this session.') }
        { $_ -in 9, 10 } { }
        11 { $ui.ReadLine() }
        12 {
            $ui.WriteWarningLine("The server $($Run.Session.ComputerName) asks for a line that is not shown as you type, such as a password. Type it only if you trust that server.")
            $ui.ReadLineAsSecureString()
        }
        13 { $ui.Write([string] $p[0]) }
        14 { $ui.Write([ConsoleColor] $p[0], [ConsoleColor] $p[1], [string] $p[2]) }
        15 { $ui.WriteLine() }
        16 { $ui.WriteLine([string] $p[0]) }
        17 { $ui.WriteLine([ConsoleColor] $p[0], [ConsoleColor] $p[1], [string] $p[2]) }
        18 { $ui.WriteErrorLine([string] $p[0]) }
        23 { Read-Prompt $p $ui $Run.Session }
        { $_ -in 24, 25 } {
            $caption = Get-RequestCaption ([string] $p[0])
            $message = Get-RequestMessage ([string] $p[1]) $Run.Session
            if ($Method -eq 24) { $ui.PromptForCredential($caption, $message, [string] $p[2], [string] $p[3]) }
            else { $ui.PromptForCredential($caption, $message, [string] $p[2], [string] $p[3], [System.Management.Automation.PSCredentialTypes] [int] $p[4], [System.Management.Automation.PSCredentialUIOptions] [int] $p[5]) }
        }
        26 { $ui.PromptForChoice([string] $p[0], [string] $p[1], (ConvertTo-Choice $p[2]), [int] $p[3]) }
        56 {
            $asker = $ui -as [System.Management.Automation.Host.IHostUISupportsMultipleChoiceSelection]
            if (-not $asker) { throw [NotSupportedException]::new('This host cannot ask for several choices.') }
            , [System.Collections.ArrayList] @($asker.PromptForChoice([string] $p[0], [string] $p[1], (ConvertTo-Choice $p[2]), [int[]] @($p[3])))
        }
        27 { [int] $ui.RawUI.ForegroundColor }
        28 { $ui.RawUI.ForegroundColor = [ConsoleColor] $p[0] }
        29 { [int] $ui.RawUI.BackgroundColor }
        30 { $ui.RawUI.BackgroundColor = [ConsoleColor] $p[0] }
        31 { ConvertFrom-Place $ui.RawUI.CursorPosition }
        33 { ConvertFrom-Place $ui.RawUI.WindowPosition }
        35 { [int] $ui.RawUI.CursorSize }
        37 { ConvertFrom-Place $ui.RawUI.BufferSize }
        39 { ConvertFrom-Place $ui.RawUI.WindowSize }
        41 { [string] $ui.RawUI.WindowTitle }
        42 { $ui.RawUI.WindowTitle = [string] $p[0] }
        43 { ConvertFrom-Place $ui.RawUI.MaxWindowSize }
        44 { ConvertFrom-Place $ui.RawUI.MaxPhysicalWindowSize }
        45 { [bool] $ui.RawUI.KeyAvailable }
        47 { $ui.RawUI.FlushInputBuffer() }
        50 { throw [NotSupportedException]::new('What is on the screen is not given to a remote server.') }
        54 { $false }
        # Moving the cursor and drawing on the screen: nothing a tenant's command needs.
        { $_ -in 32, 34, 36, 38, 40, 48, 49, 51 } { }
        default { throw [NotSupportedException]::new("The host method $Method is not known here.") }
    }
}

function script:Get-RequestCaption([string] $Caption) { "PowerShell Credential Request: $Caption" }

function script:Get-RequestMessage([string] $Message, $Session) {
    "Warning: this request comes from the server $($Session.ComputerName.ToUpperInvariant()). Give a credential only if you trust it and the command that runs there.`n`n$Message"
}

function script:ConvertTo-Choice($Choices) {
    $list = [System.Collections.ObjectModel.Collection[System.Management.Automation.Host.ChoiceDescription]]::new()
    foreach ($choice in $Choices) {
        $one = [System.Management.Automation.Host.ChoiceDescription]::new([string] $choice.label)
        if ($choice.helpMessage) { $one.HelpMessage = [string] $choice.helpMessage }
        $list.Add($one)
    }
    , $list
}

function script:ConvertFrom-Place($Place) {
    if ($Place -is [System.Management.Automation.Host.Size]) { New-Bag ([ordered] @{ width = $Place.Width; height = $Place.Height }) }
    else { New-Bag ([ordered] @{ x = $Place.X; y = $Place.Y }) }
}

# Prompt(caption, message, fields): the host's answers by name, as a table.
function script:Read-Prompt($Parameters, $Ui, $Session) {
    $fields = [System.Collections.ObjectModel.Collection[System.Management.Automation.Host.FieldDescription]]::new()
    $message = [string] $Parameters[1]
    $secret = $false
    foreach ($given in $Parameters[2]) {
        $field = [System.Management.Automation.Host.FieldDescription]::new([string] $given.name)
        # Only types that are here already; anything else is asked for as text.
        $type = ([string] $given.parameterTypeFullName) -as [type]
        if (-not $type) { $type = [string] }
        $field.SetParameterType($type)
        if ($type -eq [securestring] -or $type -eq [pscredential]) { $secret = $true }
        if ($given.label) { $field.Label = [string] $given.label }
        if ($given.helpMessage) { $field.HelpMessage = [string] $given.helpMessage }
        $field.IsMandatory = [bool] $given.isMandatory
        if ($null -ne $given.defaultValue) { $field.DefaultValue = $given.defaultValue }
        $fields.Add($field)
    }
    if ($secret) { $message = Get-RequestMessage $message $Session }
    $answers = @{}
    $given = $Ui.Prompt([string] $Parameters[0], $message, $fields)
    foreach ($name in $given.Keys) { $answers[$name] = $given[$name] }
    $answers
}
