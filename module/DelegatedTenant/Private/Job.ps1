# -AsJob: the same flow of targets, in a runspace in the background of this process. The job is a class of ours, since PowerShell has
# none that a module may fill: emitted once in a process, no compiler and no file.

$script:AddOutput = $script:NewReceived = $script:OutputKind = $null

# class DelegatedTenant.Job : Job. Its streams are filled from here; it says where it runs, whether there is more to receive, and
# notes that it shall stop.
function script:Initialize-JobType {
    $slot = 'DelegatedTenant.Job'
    $type = [AppDomain]::CurrentDomain.GetData($slot)
    if ($type) { return $type }
    $op = [Reflection.Emit.OpCodes]
    $parent = [System.Management.Automation.Job]
    $results = [System.Management.Automation.PSDataCollection[System.Management.Automation.Remoting.Internal.PSStreamObject]]
    $inside = [Reflection.BindingFlags] 'Instance, NonPublic, Public'
    $module = [Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly([Reflection.AssemblyName] 'DelegatedTenant.Job', 'Run').DefineDynamicModule('DelegatedTenant.Job')
    $job = $module.DefineType('DelegatedTenant.Job', 'Public, Sealed', $parent)
    $place = $job.DefineField('Place', [string], 'Public')
    $received = $job.DefineField('Received', $results.MakeArrayType(), 'Public')
    $stopping = $job.DefineField('IsStopping', [bool], 'Public')
    $patience = $job.DefineField('StopTimeout', [int], 'Public')
    # They are this module's, and not for the views.
    foreach ($field in $place, $received, $stopping, $patience) { $field.SetCustomAttribute([System.Management.Automation.HiddenAttribute].GetConstructor([type]::EmptyTypes), [byte[]] (1, 0, 0, 0)) }

    # (string command, string name, string type) : base(command, name) { PSJobTypeName = type; }
    $il = $job.DefineConstructor('Public', 'Standard', [type[]] ([string], [string], [string])).GetILGenerator()
    $il.Emit($op::Ldarg_0); $il.Emit($op::Ldarg_1); $il.Emit($op::Ldarg_2); $il.Emit($op::Call, $parent.GetConstructor($inside, $null, [type[]] ([string], [string]), $null))
    $il.Emit($op::Ldarg_0); $il.Emit($op::Ldarg_3); $il.Emit($op::Call, $parent.GetMethod('set_PSJobTypeName', $inside))
    $il.Emit($op::Ret)
    # new void SetJobState(JobState state) { SetJobState(state); }
    $il = $job.DefineMethod('SetJobState', 'Public', [void], [type[]] (, [System.Management.Automation.JobState])).GetILGenerator()
    $il.Emit($op::Ldarg_0); $il.Emit($op::Ldarg_1); $il.Emit($op::Call, $parent.GetMethod('SetJobState', $inside, $null, [type[]] (, [System.Management.Automation.JobState]), $null))
    $il.Emit($op::Ret)
    # override string Location => Place; override string StatusMessage => "";
    $override = [Reflection.MethodAttributes] 'Public, Virtual, HideBySig, SpecialName'
    $il = $job.DefineMethod('get_Location', $override, [string], [type]::EmptyTypes).GetILGenerator()
    $il.Emit($op::Ldarg_0); $il.Emit($op::Ldfld, $place); $il.Emit($op::Ret)
    $il = $job.DefineMethod('get_StatusMessage', $override, [string], [type]::EmptyTypes).GetILGenerator()
    $il.Emit($op::Ldstr, ''); $il.Emit($op::Ret)
    # override bool HasMoreData { get { for (int i = 0; i < Received.Length; i++) if (Received[i].IsOpen || Received[i].Count > 0) return true; return false; } }
    $il = $job.DefineMethod('get_HasMoreData', $override, [bool], [type]::EmptyTypes).GetILGenerator()
    $null = $il.DeclareLocal([int])
    $next, $more, $test = $il.DefineLabel(), $il.DefineLabel(), $il.DefineLabel()
    $il.Emit($op::Ldc_I4_0); $il.Emit($op::Stloc_0); $il.Emit($op::Br, $test)
    $il.MarkLabel($next)
    foreach ($question in 'get_IsOpen', 'get_Count') {
        $il.Emit($op::Ldarg_0); $il.Emit($op::Ldfld, $received); $il.Emit($op::Ldloc_0); $il.Emit($op::Ldelem_Ref)
        $il.Emit($op::Callvirt, $results.GetMethod($question)); $il.Emit($op::Brtrue, $more)
    }
    $il.Emit($op::Ldloc_0); $il.Emit($op::Ldc_I4_1); $il.Emit($op::Add); $il.Emit($op::Stloc_0)
    $il.MarkLabel($test)
    $il.Emit($op::Ldloc_0); $il.Emit($op::Ldarg_0); $il.Emit($op::Ldfld, $received); $il.Emit($op::Ldlen); $il.Emit($op::Conv_I4); $il.Emit($op::Blt, $next)
    $il.Emit($op::Ldc_I4_0); $il.Emit($op::Ret)
    $il.MarkLabel($more)
    $il.Emit($op::Ldc_I4_1); $il.Emit($op::Ret)
    # override void StopJob() { IsStopping = true; Finished.WaitOne(StopTimeout); }
    $il = $job.DefineMethod('StopJob', 'Public, Virtual, HideBySig', [void], [type]::EmptyTypes).GetILGenerator()
    $il.Emit($op::Ldarg_0); $il.Emit($op::Ldc_I4_1); $il.Emit($op::Stfld, $stopping)
    $il.Emit($op::Ldarg_0); $il.Emit($op::Call, $parent.GetMethod('get_Finished')); $il.Emit($op::Ldarg_0); $il.Emit($op::Ldfld, $patience)
    $il.Emit($op::Callvirt, [Threading.WaitHandle].GetMethod('WaitOne', [type[]] (, [int]))); $il.Emit($op::Pop)
    $il.Emit($op::Ret)

    $type = $job.CreateType()
    [AppDomain]::CurrentDomain.SetData($slot, $type)
    $type
}

# A job for a command on several targets, one child for each, as Invoke-Command makes them. It is not yet begun.
function script:New-TenantJob([string] $Command, [string] $Name, $Targets) {
    $type = Initialize-JobType
    $inside = [Reflection.BindingFlags] 'Instance, NonPublic, Public'
    # What Receive-Job takes the records of all streams from, in their order.
    $getter = [System.Management.Automation.Job].GetProperty('Results', $inside)
    $ordered = [System.Management.Automation.Job].GetProperty('UsesResultsCollection', $inside)
    $parent = $type::new($Command, $Name, 'RemoteJob')
    $parent.StopTimeout = [Threading.Timeout]::Infinite
    $parent.Received = [Array]::CreateInstance($getter.PropertyType, $Targets.Count)
    $places = [System.Collections.Generic.List[string]]::new()
    foreach ($target in $Targets) {
        $child = $type::new($Command, '', '')
        $child.StopTimeout = [Threading.Timeout]::Infinite
        $child.Received = [Array]::CreateInstance($getter.PropertyType, 1)
        $child.Received.SetValue($getter.GetValue($child, $null), 0)
        $parent.Received.SetValue($child.Received[0], $places.Count)
        $ordered.SetValue($child, $true, $null)
        $child.Place = if (-not $target.Temporary) { $target.Session.ComputerName } elseif ($target.Uri.IsAbsoluteUri) { $target.Uri.Host } else { 'Exchange Online' }
        $places.Add($child.Place)
        $parent.ChildJobs.Add($child)
        $target.Child = $child
    }
    $parent.Place = $places -join ','
    $parent
}

# An object to the output of a child. By reflection: a direct call would hand over a bare string where there is one with notes.
function script:Add-JobOutput($Child, $Value) {
    if (-not $script:AddOutput) {
        $script:AddOutput = [System.Management.Automation.PSDataCollection[psobject]].GetMethod('Add', [type[]] (, [psobject]))
        $kind = [System.Management.Automation.Remoting.Internal.PSStreamObjectType]
        $script:NewReceived = [System.Management.Automation.Remoting.Internal.PSStreamObject].GetConstructor([type[]] ($kind, [object]))
        $script:OutputKind = $kind::Output
    }
    # A job that was removed takes no more.
    if (-not $Child.Output.IsOpen) { return }
    $null = $script:AddOutput.Invoke($Child.Output, [object[]] (, $Value))
    $Child.Received[0].Add($script:NewReceived.Invoke([object[]] ($script:OutputKind, $Value)))
}

# What stands in for the cmdlet in a job: takes the records of the target whose turn it is.
function script:New-JobSink {
    $sink = [pscustomobject] @{ Target = $null; Host = $null }
    $put = {
        param([string] $stream, $record, $text)
        $child = $this.Target.Child
        # A job that was removed takes no more.
        if (-not $child.$stream.IsOpen) { return }
        # The error that ended the command is received, and is no longer among those that it wrote.
        if ($stream -ne 'Error' -or $record.Exception -ne $this.Target.Run.Failure) { $child.$stream.Add($record) }
        $child.Received[0].Add([System.Management.Automation.Remoting.Internal.PSStreamObject]::new($stream, $(if ($null -ne $text) { $text } else { $record })))
    }
    $methods = [ordered] @{
        Add = $put
        WriteError = { param($record) $this.Add('Error', $record) }
        WriteWarning = { param([string] $text) $this.Add('Warning', [System.Management.Automation.WarningRecord]::new($text), $text) }
        WriteVerbose = { param([string] $text) $this.Add('Verbose', [System.Management.Automation.VerboseRecord]::new($text), $text) }
        WriteDebug = { param([string] $text) $this.Add('Debug', [System.Management.Automation.DebugRecord]::new($text), $text) }
        WriteProgress = { param($record) $this.Add('Progress', $record) }
        # What the server writes to the host comes as a call too, and that one is kept: see New-JobHost.
        WriteInformation = { param($record) if (-not $record.Tags.Contains('PSHOST')) { $this.Add('Information', $record) } }
    }
    foreach ($name in $methods.Keys) { $sink.PSObject.Members.Add([System.Management.Automation.PSScriptMethod]::new($name, $methods[$name])) }
    $sink.Host = New-JobHost $sink
    $sink
}

# The host of a job. What is written to it is shown when the job is received; it has nobody to ask.
function script:New-JobHost($Sink) {
    $ui = [pscustomobject] @{ RawUI = $null; Sink = $Sink }
    $write = {
        param([string] $text, [bool] $open)
        $message = [System.Management.Automation.HostInformationMessage]::new()
        $message.Message = $text
        $message.NoNewLine = $open
        $record = [System.Management.Automation.InformationRecord]::new($message, $this.Sink.Target.Session.ComputerName)
        $record.Tags.Add('PSHOST')
        $this.Sink.Add('Information', $record)
    }
    $methods = @{
        Add = $write
        Write = { $this.Add([string] $args[-1], $true) }
        WriteLine = { $this.Add($(if ($args.Count) { [string] $args[-1] } else { '' }), $false) }
        WriteErrorLine = { $this.Add([string] $args[0], $false) }
        WriteWarningLine = { $this.Sink.WriteWarning([string] $args[0]) }
    }
    foreach ($name in $methods.Keys) { $ui.PSObject.Members.Add([System.Management.Automation.PSScriptMethod]::new($name, $methods[$name])) }
    [pscustomobject] @{ Name = $Host.Name; Version = $Host.Version; InstanceId = $Host.InstanceId; CurrentCulture = $Host.CurrentCulture; CurrentUICulture = $Host.CurrentUICulture; UI = $ui; IsJob = $true }
}

# The target is done: so is its job, and with the last one the whole.
function script:Complete-ChildJob($Target) {
    $child = $Target.Child
    if ("$($child.JobStateInfo.State)" -notin 'NotStarted', 'Running') { return }
    if ($child.IsStopping) { $child.SetJobState('Stopped') }
    elseif ($Target.Failure) {
        # The reason is for who asks the job for it. Receive-Job, which asks the base class, would make one more error of it, whose
        # identity is not the error's own; that one is among the results.
        $child.PSObject.Members.Add([psnoteproperty]::new('JobStateInfo', [System.Management.Automation.JobStateInfo]::new('Failed', $Target.Failure)))
        $child.SetJobState('Failed')
    }
    else { $child.SetJobState('Completed') }
}

function script:Complete-Job($Job) {
    $states = @(foreach ($child in $Job.ChildJobs) { "$($child.State)" })
    $Job.SetJobState($(if ($states -contains 'Failed') { 'Failed' } elseif ($states -contains 'Stopped') { 'Stopped' } else { 'Completed' }))
}

# Begins the flow here, so that a session is busy from now on, and leaves the rest to the background.
function script:Start-TenantJob($Flow, $Job, $Value) {
    $Job.SetJobState('Running')
    $sink = New-JobSink
    Start-Waiting $Flow $sink
    $shell = [powershell]::Create()
    $shell.RunspacePool = Get-JobPool
    $null = $shell.AddScript('param($path, $flow, $job, $value) & (Import-Module $path -PassThru -DisableNameChecking) { Initialize-Module; Invoke-TenantJob @args } $flow $job $value')
    $null = $shell.AddArgument([IO.Path]::Combine($ExecutionContext.SessionState.Module.ModuleBase, 'DelegatedTenant.psd1')).AddArgument($Flow).AddArgument($Job).AddArgument($Value)
    $null = $shell.BeginInvoke()
}

# Runspaces for the jobs of this process: kept for a while, so that the next job need not load the module again.
function script:Get-JobPool {
    $slot = 'DelegatedTenant.JobPool'
    $pool = [AppDomain]::CurrentDomain.GetData($slot)
    if (-not $pool) {
        $pool = [runspacefactory]::CreateRunspacePool(1, 64)
        # A thread that a pool keeps for its next pipeline would keep PowerShell from ending.
        $pool.ThreadOptions = 'UseNewThread'
        $pool.Open()
        [AppDomain]::CurrentDomain.SetData($slot, $pool)
    }
    $pool
}

# In the background: the flow to its end, each record to its job.
function script:Invoke-TenantJob($Flow, $Job, $Value) {
    $sink = New-JobSink
    $put = { process { Add-JobOutput $sink.Target.Child $_ } }
    try {
        foreach ($one in $Value) {
            $Flow.Kept.Add($one)
            Send-Input $Flow.Running.ToArray() $one $sink $false | & $put
        }
        if ($Flow.Piped) {
            Close-Input $Flow.Running
            $Flow.InputEnded = $true
        }
        while (Test-Flow $Flow) {
            Stop-Wanted $Flow $Job $sink
            Step-Flow $Flow $sink | & $put
        }
    }
    catch {
        # No way back to a caller: whoever still waits is told, and then it is over.
        foreach ($target in @(foreach ($run in $Flow.Running) { $run.Target }) + $Flow.Opening.ToArray() + $Flow.Waiting.ToArray()) { Stop-Target $target $_ $sink }
    }
    finally {
        Stop-Flow $Flow
        foreach ($child in $Job.ChildJobs) { if ("$($child.State)" -in 'NotStarted', 'Running') { $child.SetJobState('Stopped') } }
        Complete-Job $Job
    }
}

# Stop-Job was called for the job or for a child of it.
function script:Stop-Wanted($Flow, $Job, $Sink) {
    if ($Job.IsStopping) { foreach ($child in $Job.ChildJobs) { $child.IsStopping = $true } }
    $failure = [IntPtr]::Zero
    foreach ($run in $Flow.Running) {
        if (-not $run.Target.Child.IsStopping -or $run.Stopped) { continue }
        $run.Stopped = $true
        if ($script:Native::dt_invocation_stop($run.Pointer, [ref] $failure) -ge 100) { $script:Native::dt_error_free($failure) }
    }
    foreach ($target in $Flow.Opening.ToArray()) {
        if (-not $target.Child.IsStopping) { continue }
        $null = $Flow.Opening.Remove($target)
        Complete-ChildJob $target
        Close-Target $Flow $target
    }
    for ($i = $Flow.Waiting.Count; $i -gt 0; $i--) {
        $target = $Flow.Waiting.Dequeue()
        if ($target.Child.IsStopping) { Complete-ChildJob $target } else { $Flow.Waiting.Enqueue($target) }
    }
}
