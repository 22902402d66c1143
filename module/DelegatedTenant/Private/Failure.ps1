# What the library reports, as the error records that scripts know from PowerShell's own remoting.

$script:ErrorFromRemoting = $null
$script:InformationFromRemoting = $null
$script:PreserveOnce = $null      # ErrorRecord.PreserveInvocationInfoOnce: written as it is, without this command's name

# Reads a dt_error and frees it.
function script:Read-Failure([IntPtr] $Failure) {
    $native = $script:Native
    try {
        $read = @{
            Status = $native::dt_error_status($Failure)
            Message = Read-Utf8 ($native::dt_error_message($Failure))
            Id = Read-Utf8 ($native::dt_error_id($Failure))
            Category = Read-Utf8 ($native::dt_error_category($Failure))
            Record = Read-Document $Failure 'dt_error_record'
        }
        foreach ($fact in 'native_id', 'native_code', 'native_message', 'remedy', 'host', 'tenant') { $read[$fact] = Read-Utf8 ($native::dt_error_fact($Failure, $fact)) }
        $read
    }
    finally { $native::dt_error_free($Failure) }
}

# Throws what a call of the library refused, if it did.
function script:Assert-Native([int] $Status, [IntPtr] $Failure) {
    if ($Status -lt 100) { return }
    $read = Read-Failure $Failure
    $record = [System.Management.Automation.ErrorRecord]::new([InvalidOperationException]::new($read.Message), $read.Id, $read.Category, $null)
    throw $record
}

# The open of a session failed: the native identity, and what to do about it as a second sentence.
function script:New-OpenError($Read, $Target) {
    if (-not $Read.native_id -and $Read.Category -in 'InvalidArgument', 'NotImplemented') {
        $id = $Read.Id
        if ($Read.Status -eq 100) { $id = 'CreateRemoteRunspaceFailed' }
        $text = $Read.Message
        if ($Read.remedy) { $text += ". $($Read.remedy)" }
        $record = [System.Management.Automation.ErrorRecord]::new([ArgumentException]::new($text), $id, $Read.Category, $Target)
        Set-Organization $record $Read.tenant
        return $record
    }
    $message = if ($Read.native_message) { $Read.native_message } else { $Read.Message }
    $exception = [System.Management.Automation.Remoting.PSRemotingTransportException]::new($message)
    $exception.TransportMessage = $Read.Message
    if ($Read.native_code) { $exception.ErrorCode = [int] $Read.native_code }
    $record = [System.Management.Automation.ErrorRecord]::new($exception, "$(if ($Read.native_id) { $Read.native_id } else { $Read.Id }),PSSessionOpenFailed", 'OpenError', $Target)
    Set-Identity $exception $record
    Set-Organization $record $Read.tenant
    $text = if ($Read.host) { "[$($Read.host)] $message" } else { $message }
    if ($Read.remedy) { $text = ($text -replace '(?<=[\w)])$', '.') + " $($Read.remedy)" }
    $record.ErrorDetails = [System.Management.Automation.ErrorDetails]::new($text)
    Set-Preserved $record
    $record
}

# The session was lost, or the library could not go on, while a command ran.
function script:New-InvocationError($Read, $Session) {
    if (-not $Read.native_id -and -not $Read.native_code) {
        $record = [System.Management.Automation.ErrorRecord]::new([System.Management.Automation.Remoting.PSRemotingTransportException]::new($Read.Message), $Read.Id, $Read.Category, $Session.ComputerName)
    }
    else {
        $message = if ($Read.native_message) { $Read.native_message } else { $Read.Message }
        $exception = [System.Management.Automation.Remoting.PSRemotingTransportException]::new($message)
        $exception.TransportMessage = $Read.Message
        if ($Read.native_code) { $exception.ErrorCode = [int] $Read.native_code }
        if ("$($Session.State)" -eq 'Opened') { $record = [System.Management.Automation.ErrorRecord]::new($exception, 'JobFailure', 'OperationStopped', $Session.ComputerName) }
        else {
            $id = if ($Read.native_id) { $Read.native_id } else { $Read.native_code }
            $record = [System.Management.Automation.ErrorRecord]::new($exception, "$id,PSSessionStateBroken", 'OpenError', $Session.ComputerName)
        }
    }
    if ($Read.remedy) { $record.ErrorDetails = [System.Management.Automation.ErrorDetails]::new(($record.Exception.Message -replace '(?<=[\w)])$', '.') + " $($Read.remedy)") }
    Set-Identity $record.Exception $record
    Set-Organization $record $Session.Organization
    Set-Preserved $record
    $record
}

# A remote ErrorRecord (deserialized) as the native client makes it: RemotingErrorRecord around a RemoteException.
function script:ConvertTo-RemotingError($Remote, $Origin, [string] $Organization) {
    if (-not $script:ErrorFromRemoting) { $script:ErrorFromRemoting = Get-FromRemoting ([System.Management.Automation.ErrorRecord]) }
    # Without one from the server, the record would take the stack of this module for its own.
    if ($null -eq $Remote.ErrorDetails_ScriptStackTrace) { $Remote.PSObject.Members.Add([psnoteproperty]::new('ErrorDetails_ScriptStackTrace', '')) }
    $record = [System.Management.Automation.Runspaces.RemotingErrorRecord]::new($script:ErrorFromRemoting.Invoke($Remote), $Origin)
    Set-Organization $record $Organization
    Set-Preserved $record
    $record
}

# FromPSObjectForRemoting of a record type, which the engine's own client uses too. It alone keeps every identity of a remote record.
function script:Get-FromRemoting([type] $Type) {
    $method = $Type.GetMethod('FromPSObjectForRemoting', [Reflection.BindingFlags] 'Static, NonPublic', $null, [type[]] (, [psobject]), $null)
    [Delegate]::CreateDelegate([Func`2].MakeGenericType([psobject], $Type), $method)
}

# A catch by type shows the identity that the exception has by itself, which would be that of another exception.
function script:Set-Identity($Exception, $Record) {
    $inside = [Reflection.BindingFlags] 'Instance, NonPublic'
    foreach ($pair in ('SetErrorId', $Record.FullyQualifiedErrorId), ('SetErrorCategory', $Record.CategoryInfo.Category), ('SetTargetObject', $Record.TargetObject)) {
        $method = [System.Management.Automation.RuntimeException].GetMethod($pair[0], $inside)
        if ($method) { $null = $method.Invoke($Exception, [object[]] (, $pair[1])) }
    }
}

# Names the tenant in the error, where it changes nothing of what is shown or exported.
function script:Set-Organization($Record, [string] $Organization) {
    if ($Organization) { $Record.Exception.Data['DelegatedOrganization'] = $Organization }
}

function script:Set-Preserved($Record) {
    if (-not $script:PreserveOnce) { $script:PreserveOnce = [System.Management.Automation.ErrorRecord].GetProperty('PreserveInvocationInfoOnce', [Reflection.BindingFlags] 'Instance, NonPublic') }
    if ($script:PreserveOnce) { $script:PreserveOnce.SetValue($Record, $true, $null) }
}

# What is thrown from within this module happened, for whoever reads the error, where the command was called.
function script:Set-Position($Record, $Cmdlet) {
    $inside = [Reflection.BindingFlags] 'Instance, NonPublic'
    $position = [System.Management.Automation.InvocationInfo].GetProperty('ScriptPosition', $inside)
    $setter = [System.Management.Automation.ErrorRecord].GetMethod('SetInvocationInfo', $inside)
    if ($position -and $setter) { $null = $setter.Invoke($Record, [object[]] (, [System.Management.Automation.InvocationInfo]::Create($null, $position.GetValue($Cmdlet.MyInvocation, $null)))) }
}
