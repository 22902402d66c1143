# A host for tests of what reaches one. Dot-source it behind TestServers.ps1, in BeforeAll.

# A host that notes what it is told and answers from a list. It runs on whatever thread calls it.
. ([scriptblock]::Create(@'
[NoRunspaceAffinity()] class RecordingUI : System.Management.Automation.Host.PSHostUserInterface {
    [System.Collections.Generic.List[string]] $Log = [System.Collections.Generic.List[string]]::new()
    [System.Collections.Queue] $Answers = [System.Collections.Queue]::new()
    [object] Next([string] $what) {
        $this.Log.Add($what)
        if ($this.Answers.Count -eq 0) { throw [InvalidOperationException]::new('nobody is here') }
        return $this.Answers.Dequeue()
    }
    [string] ReadLine() { return $this.Next('ReadLine') }
    [securestring] ReadLineAsSecureString() { return $this.Next('ReadLineAsSecureString') }
    [void] Write([string] $value) { $this.Log.Add("Write $value") }
    [void] Write([ConsoleColor] $f, [ConsoleColor] $b, [string] $value) { $this.Log.Add("Write($f) $value") }
    [void] WriteLine([string] $value) { $this.Log.Add("WriteLine $value") }
    [void] WriteErrorLine([string] $value) { $this.Log.Add("WriteErrorLine $value") }
    [void] WriteDebugLine([string] $value) { $this.Log.Add("WriteDebugLine $value") }
    [void] WriteVerboseLine([string] $value) { $this.Log.Add("WriteVerboseLine $value") }
    [void] WriteWarningLine([string] $value) { $this.Log.Add("WriteWarningLine $value") }
    [void] WriteProgress([long] $id, [System.Management.Automation.ProgressRecord] $record) { $this.Log.Add("WriteProgress $($record.ActivityId) $($record.ParentActivityId) $($record.Activity)|$($record.StatusDescription)|$($record.PercentComplete)|$($record.RecordType)") }
    [System.Collections.Generic.Dictionary[string, psobject]] Prompt([string] $caption, [string] $message, [System.Collections.ObjectModel.Collection[System.Management.Automation.Host.FieldDescription]] $fields) {
        $given = [System.Collections.Generic.Dictionary[string, psobject]]::new()
        foreach ($field in $fields) { $given[$field.Name] = $this.Next("Prompt $caption|$($message.Contains('trust'))|$($field.Name)|$($field.ParameterTypeName)|$($field.IsMandatory)") }
        return $given
    }
    [pscredential] PromptForCredential([string] $caption, [string] $message, [string] $user, [string] $target) { return $this.Next("PromptForCredential $caption|$($message.Contains('trust'))|$user") }
    [pscredential] PromptForCredential([string] $caption, [string] $message, [string] $user, [string] $target, [System.Management.Automation.PSCredentialTypes] $types, [System.Management.Automation.PSCredentialUIOptions] $options) { return $this.Next("PromptForCredential $caption|$($message.Contains('trust'))|$user") }
    [int] PromptForChoice([string] $caption, [string] $message, [System.Collections.ObjectModel.Collection[System.Management.Automation.Host.ChoiceDescription]] $choices, [int] $default) { return $this.Next("PromptForChoice $caption|$message|$($choices.Label -join ',')|$default") }
    [System.Management.Automation.Host.PSHostRawUserInterface] get_RawUI() { return $null }
}
[NoRunspaceAffinity()] class RecordingHost : System.Management.Automation.Host.PSHost {
    [RecordingUI] $Recorder = [RecordingUI]::new()
    [guid] get_InstanceId() { return 'c0ffee00-0000-4000-8000-000000000001' }
    [string] get_Name() { return 'Recording' }
    [version] get_Version() { return '1.0' }
    [cultureinfo] get_CurrentCulture() { return [cultureinfo]::InvariantCulture }
    [cultureinfo] get_CurrentUICulture() { return [cultureinfo]::InvariantCulture }
    [System.Management.Automation.Host.PSHostUserInterface] get_UI() { return $this.Recorder }
    [void] EnterNestedPrompt() { }
    [void] ExitNestedPrompt() { }
    [void] NotifyBeginApplication() { }
    [void] NotifyEndApplication() { }
    [void] SetShouldExit([int] $code) { $this.Recorder.Log.Add("SetShouldExit $code") }
}
'@))

# Runs text with $s in a runspace of its own whose host records. Gives output and errors as text, then the host's log.
function Invoke-Recorded([string] $Text, $With, [object[]] $Answers) {
    $recording = [RecordingHost]::new()
    foreach ($answer in $Answers) { $recording.Recorder.Answers.Enqueue($answer) }
    $runspace = [runspacefactory]::CreateRunspace($recording)
    $runspace.Open()
    try {
        $shell = [powershell]::Create()
        $shell.Runspace = $runspace
        $null = $shell.AddScript("param(`$module, `$s) Import-Module `$module; . { $Text } 2>&1 | ForEach-Object { `$Host.UI.Write(`"out `$_`") }").AddArgument("$Checkout/module/DelegatedTenant/DelegatedTenant.psd1").AddArgument($With)
        $null = $shell.Invoke()
        $shell.Streams.Error | ForEach-Object { "failed $_" }
        $recording.Recorder.Log
    }
    finally { $runspace.Dispose() }
}
