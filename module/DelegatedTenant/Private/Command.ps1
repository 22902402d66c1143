# Script blocks as commands and arguments: the conversion is the engine's own, the same that Invoke-Command uses.

# Runs in the session state of the caller, where the caller's variables are. The inner block and $args keep it from touching them.
# It catches, because what leaves a command as an exception is one more entry in the caller's $Error and -ErrorVariable.
$script:Converter = '& { try { $args[0].GetPowerShell($args[2], $args[1]) } catch { if ($global:Error.Count) { $global:Error.RemoveAt(0) }; $_ } } $args[0] $args[1] $args[2]'

# The statements of a block: a list of @{ Text; IsScript; End; Merges; Arguments }, and why it went as text, if it did.
function script:ConvertTo-Statement([scriptblock] $Block, [object[]] $ArgumentList, $Cmdlet) {
    $state = $Cmdlet.SessionState
    # Expressions are evaluated as Invoke-Command does it: where the language is full.
    $trusted = "$($state.LanguageMode)" -eq 'FullLanguage'
    if ($null -eq $ArgumentList) { $ArgumentList = @() }
    $shell = $state.InvokeCommand.InvokeScript($state, [scriptblock]::Create($script:Converter), [object[]] ($Block, $ArgumentList, $trusted))
    if ($shell[0] -is [System.Management.Automation.ErrorRecord]) {
        $inner = $shell[0].Exception
        while ($inner.InnerException -is [System.Management.Automation.RuntimeException]) { $inner = $inner.InnerException }
        if ($inner -is [System.Management.Automation.ScriptBlockToPowerShellNotSupportedException]) { return @{ Reason = Get-Reason $inner $Block; Commands = @(ConvertTo-ScriptCommand $Block $ArgumentList $Cmdlet) } }
        # Everything else (an undefined $using:, above all) is the caller's error, as it is with Invoke-Command.
        if ($inner -is [System.Management.Automation.RuntimeException]) { return @{ Refused = [System.Management.Automation.ErrorRecord]::new($inner.ErrorRecord, $inner) } }
        return @{ Refused = $shell[0] }
    }
    try {
        $merges = @(Get-Merge $Block)
        $at = 0
        $commands = foreach ($command in $shell[0].Commands.Commands) {
            $arguments = foreach ($parameter in $command.Parameters) { @{ Name = $parameter.Name; Value = $parameter.Value } }
            @{ Text = $command.CommandText; IsScript = $command.IsScript; End = $command.IsEndOfStatement; Merges = $merges[$at]; Arguments = @($arguments) }
            $at++
        }
        @{ Reason = $null; Commands = @($commands) }
    }
    finally { $shell[0].Dispose() }
}

# The block of a script file: with the checks, the identities and the words of Invoke-Command.
function script:Get-FileBlock([string] $Path, $Cmdlet) {
    $refuse = { param($text) $Cmdlet.ThrowTerminatingError([System.Management.Automation.ErrorRecord]::new([ArgumentException]::new($text, 'filePath'), 'System.ArgumentException', 'NotSpecified', $null)) }
    if ([System.Management.Automation.WildcardPattern]::ContainsWildcardCharacters($Path)) { & $refuse 'Wildcard characters are not supported for the FilePath parameter. Specify a path without wildcard characters.' }
    if (-not $Path.EndsWith('.ps1', [StringComparison]::OrdinalIgnoreCase)) { & $refuse 'The value of the FilePath parameter must be a PowerShell script file. Enter the path to a file with a .ps1 file name extension and try the command again.' }
    $provider = $null
    try {
        $full = $Cmdlet.GetResolvedProviderPathFromPSPath($Path, [ref] $provider)[0]
        $file = $Cmdlet.SessionState.InvokeCommand.GetCommand($full, 'ExternalScript')
        # Whether the execution policy lets it be read.
        $file.ValidateScriptInfo($Cmdlet.Host)
        # What a property throws is $null here.
        $block = $file.ScriptBlock
        if (-not $block) {
            $tokens = $errors = $null
            $null = [System.Management.Automation.Language.Parser]::ParseFile($full, [ref] $tokens, [ref] $errors)
            throw [System.Management.Automation.ParseException]::new($errors)
        }
        $block
    }
    catch {
        $inner = $_.Exception
        while ($inner.InnerException -is [System.Management.Automation.RuntimeException]) { $inner = $inner.InnerException }
        $Cmdlet.ThrowTerminatingError($(if ($inner.ErrorRecord) { [System.Management.Automation.ErrorRecord]::new($inner.ErrorRecord, $inner) } else { $_ }))
    }
}

# A block that cannot be converted is sent as it stands, and a server without a language refuses it. A server with one runs it.
function script:ConvertTo-ScriptCommand([scriptblock] $Block, [object[]] $ArgumentList, $Cmdlet) {
    $arguments = @(foreach ($value in $ArgumentList) { @{ Name = $null; Value = $value } })
    $using = @($Block.Ast.FindAll({ $args[0] -is [System.Management.Automation.Language.UsingExpressionAst] }, $true))
    if ($using) {
        # As servers of PowerShell 5 and later expect them: by the text of the expression.
        $values = @{}
        foreach ($one in $using) {
            $text = $one.Extent.Text
            $local = $text -replace '^[$@](\{?)using:', '$$$1'
            if ($one.SubExpression -is [System.Management.Automation.Language.VariableExpressionAst]) { $text = $text.ToLowerInvariant() }
            $key = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($text))
            $values[$key] = $Cmdlet.SessionState.InvokeCommand.InvokeScript($Cmdlet.SessionState, [scriptblock]::Create("& { , ($local) }"), [object[]] @())[0]
        }
        $arguments += @{ Name = '--%'; Value = $values }
    }
    @{ Text = $Block.ToString(); IsScript = $true; End = $false; Merges = $null; Arguments = $arguments }
}

# Why a block could not become commands, with the help that the engine's text lacks.
function script:Get-Reason($Exception, [scriptblock] $Block) {
    $record = $Exception.ErrorRecord
    $reason = "$($Exception.Message) ($($record.FullyQualifiedErrorId -replace ',.*$'))"
    # A command of PowerShell's that is given a block: a filter, a loop, a calculated property.
    $local = $Block.Ast.Find({
        $args[0] -is [System.Management.Automation.Language.CommandAst] -and $args[0].GetCommandName() -match '^((Where|ForEach|Select|Sort|Group)-Object|where|foreach|select|sort|group|\?|%)$' -and
        $args[0].Find({ $args[0] -is [System.Management.Automation.Language.ScriptBlockExpressionAst] }, $true)
    }, $true)
    if ($local) { $reason += " Move it behind the call: Invoke-TenantCmdlet `$session { ... } | $($local.GetCommandName()) ..." }
    elseif ($record.FullyQualifiedErrorId -like '*CantConvertWithScriptBlocks*') { $reason += ' A filter can be given as a string: -Filter "RecipientType -eq ''UserMailbox''".' }
    elseif ($record.FullyQualifiedErrorId -like '*CantConvertWithUndeclaredVariables*') { $reason += ' A variable of yours is $using:name in the block.' }
    elseif ($record.FullyQualifiedErrorId -match 'CanOnlyConvertOnePipeline|CanConvertOneClauseOnly|CantConvertScriptBlockWithTrap') { $reason += ' Assignments, if, loops and functions run on this side: put them around Invoke-TenantCmdlet, with only the cmdlets in the block.' }
    $reason
}

# A command that PowerShell has and Exchange has not: what to do, as a second sentence.
function script:Get-Advice($Record) {
    if ($Record.FullyQualifiedErrorId -eq 'CommandNotFoundException' -and "$($Record.CategoryInfo.TargetName)" -match '^((Where|ForEach|Sort|Group|Tee|Compare|New|Add)-(Object|Member)|(Format|Export|ConvertTo|ConvertFrom|Out|Write|Import)-\w+)$') {
        "Exchange runs its own cmdlets and Select-Object. Move $($Record.CategoryInfo.TargetName) behind the call: Invoke-TenantCmdlet `$session { ... } | $($Record.CategoryInfo.TargetName)"
    }
}

# The streams that each command sends into its output (2>&1 and the like). PowerShell keeps what it found there to itself.
function script:Get-Merge([scriptblock] $Block) {
    foreach ($statement in $Block.Ast.EndBlock.Statements) {
        foreach ($element in $statement.PipelineElements) {
            , @(foreach ($redirection in $element.Redirections) { if ($redirection -is [System.Management.Automation.Language.MergingRedirectionAst]) { [int] $redirection.FromStream } })
        }
    }
}

# A dt_command for one session: SecureStrings go under that session's key.
function script:New-NativeCommand($Commands, $Session, [bool] $Input_) {
    $native = $script:Native
    $native_ = $failure = [IntPtr]::Zero
    Assert-Native ($native::dt_command_new([ref] $native_, [ref] $failure)) $failure
    try {
        foreach ($command in $Commands) {
            if ($command.Describe) {
                foreach ($name in $command.Describe) { Assert-Native ($native::dt_command_describe($native_, $name, [ref] $failure)) $failure }
                foreach ($key in $command.Only.Keys) { Assert-Native ($native::dt_command_set($native_, $key, $command.Only[$key], [ref] $failure)) $failure }
                continue
            }
            $status = if ($command.IsScript) { $native::dt_command_add_script($native_, $command.Text, [ref] $failure) } else { $native::dt_command_add($native_, $command.Text, [ref] $failure) }
            Assert-Native $status $failure
            foreach ($argument in $command.Arguments) {
                # A bare $null would reach the library as an empty string.
                $name = if ($null -eq $argument.Name) { [NullString]::Value } else { [string] $argument.Name }
                Assert-Native ($native::dt_command_add_argument($native_, $name, (ConvertTo-SessionClixml $argument.Value $Session), [ref] $failure)) $failure
            }
            # RedirectionStream.All is 0; the library calls it 100.
            foreach ($stream in $command.Merges) { Assert-Native ($native::dt_command_merge($native_, $(if ($stream) { $stream } else { 100 }), [ref] $failure)) $failure }
            if ($command.End) { Assert-Native ($native::dt_command_end_statement($native_, [ref] $failure)) $failure }
        }
        if ($Input_) { Assert-Native ($native::dt_command_set($native_, 'input', 'true', [ref] $failure)) $failure }
        $native_
    }
    catch { $native::dt_command_free($native_); throw }
}

# A cmdlet with parameters by name and values by position. What a function found in its $args as a parameter goes on as typed.
function script:New-CommandStatement([string] $Name, $Parameters, $Values) {
    $arguments = [System.Collections.Generic.List[object]]::new()
    if ($Parameters) { foreach ($key in $Parameters.Keys) { $arguments.Add(@{ Name = [string] $key; Value = $Parameters[$key] }) } }
    $open = $null
    foreach ($value in $Values) {
        if ($open) { $open.Value = $value; $open = $null }
        elseif ($value -is [string] -and ([psobject] $value).PSObject.Properties['<CommandParameterName>']) {
            $argument = @{ Name = [string] $value; Value = $null }
            $arguments.Add($argument)
            if ($value.EndsWith(':')) { $open = $argument }
        }
        else { $arguments.Add(@{ Name = $null; Value = $value }) }
    }
    @{ Reason = $null; Commands = @(@{ Text = $Name; IsScript = $false; End = $false; Merges = $null; Arguments = $arguments.ToArray() }) }
}
