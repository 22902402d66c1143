# CLIXML by PowerShell's own serializer, both ways. SecureStrings are the one thing it cannot do for a session: it writes and reads <SS>
# in the platform's form, and the library exchanges that for the session's.

$script:Serializer = $null
$script:SecurePattern = '(<SS(?:\s[^>]*)?>)([^<]*)(</SS>)'

# The document of an item (dt_item_clixml) or the record of an error (dt_error_record).
function script:Read-Document([IntPtr] $Owner, [string] $Getter) {
    $native = $script:Native
    $length = [UIntPtr]::Zero
    $text = if ($Getter -eq 'dt_item_clixml') { $native::dt_item_clixml($Owner, [ref] $length) } else { $native::dt_error_record($Owner, [ref] $length) }
    if ($text -eq [IntPtr]::Zero) { return }
    $bytes = [Array]::CreateInstance([byte], [int] $length.ToUInt32())
    [Runtime.InteropServices.Marshal]::Copy($text, $bytes, 0, $bytes.Length)
    [Text.Encoding]::UTF8.GetString($bytes)
}

# The object of an item.
function script:Read-ItemValue([IntPtr] $Item) { [System.Management.Automation.PSSerializer]::Deserialize((Read-Document $Item 'dt_item_clixml')) }

# Depth 1, as remoting serializes arguments and input.
function script:ConvertTo-SessionClixml($Value, $Session) {
    if (-not $script:Serializer) { $script:Serializer = [System.Management.Automation.PSSerializer].GetMethod('Serialize', [type[]] ([object], [int])) }
    # Called by reflection: a direct call would hand over a bare string where there is one with notes.
    $text = $script:Serializer.Invoke($null, [object[]] ($Value, 1))
    if ($text.IndexOf('<SS') -lt 0) { return $text }
    Convert-Secure $text { param($content) Protect-Text $Session (ConvertFrom-PlatformSecure $content) }
}

function script:ConvertFrom-SessionClixml([string] $Text, $Session) {
    Convert-Secure $Text { param($content) ConvertTo-PlatformSecure (Unprotect-Text $Session $content) }
}

function script:Convert-Secure([string] $Text, [scriptblock] $Convert) {
    $out = [Text.StringBuilder]::new()
    $at = 0
    foreach ($match in [regex]::Matches($Text, $script:SecurePattern)) {
        $content = [string] (& $Convert $match.Groups[2].Value)
        $null = $out.Append($Text, $at, $match.Index - $at)
        # Off Windows the serializer writes an empty secret as nothing, and cannot read that: $null is the nearest.
        if ($content) { $null = $out.Append($match.Groups[1].Value).Append($content).Append($match.Groups[3].Value) }
        else { $null = $out.Append($match.Groups[1].Value.Replace('<SS', '<Nil').Replace('>', '/>')) }
        $at = $match.Index + $match.Length
    }
    $out.Append($Text, $at, $Text.Length - $at).ToString()
}

function script:ConvertFrom-PlatformSecure([string] $Content) {
    if (-not $Content) { return [securestring]::new() }
    [System.Management.Automation.PSSerializer]::Deserialize("<Objs Version=""1.1.0.1"" xmlns=""http://schemas.microsoft.com/powershell/2004/04""><SS>$Content</SS></Objs>")
}

function script:ConvertTo-PlatformSecure([securestring] $Secret) {
    $match = [regex]::Match([System.Management.Automation.PSSerializer]::Serialize($Secret), $script:SecurePattern)
    $match.Groups[2].Value
}

# The key of the session is asked for once, when it is first needed.
function script:Request-SessionKey($Session) {
    $native = $script:Native
    $failure = [IntPtr]::Zero
    do {
        $status = $native::dt_session_exchange_key($Session.Handle.DangerousGetHandle(), 100, [ref] $failure)
        Assert-Native $status $failure
    } while ($status -eq 1)
}

function script:Protect-Text($Session, [securestring] $Secret) {
    $native = $script:Native
    Request-SessionKey $Session
    $text = $failure = [IntPtr]::Zero
    $bytes = Get-SecretBytes $Secret
    try { Assert-Native ($native::dt_session_protect($Session.Handle.DangerousGetHandle(), $bytes, [UIntPtr] [uint32] $bytes.Length, [ref] $text, [ref] $failure)) $failure }
    finally { [Array]::Clear($bytes, 0, $bytes.Length) }
    Read-Text $text
}

function script:Unprotect-Text($Session, [string] $Encrypted) {
    $native = $script:Native
    Request-SessionKey $Session
    $text = $failure = [IntPtr]::Zero
    Assert-Native ($native::dt_session_unprotect($Session.Handle.DangerousGetHandle(), $Encrypted, [ref] $text, [ref] $failure)) $failure
    $secret = [securestring]::new()
    try {
        $length = [UIntPtr]::Zero
        $data = $native::dt_text_data($text, [ref] $length)
        $bytes = [Array]::CreateInstance([byte], [int] $length.ToUInt32())
        [Runtime.InteropServices.Marshal]::Copy($data, $bytes, 0, $bytes.Length)
        $characters = [Text.Encoding]::UTF8.GetChars($bytes)
        foreach ($character in $characters) { $secret.AppendChar($character) }
        [Array]::Clear($bytes, 0, $bytes.Length)
        [Array]::Clear($characters, 0, $characters.Length)
    }
    finally { $native::dt_text_free($text) }
    $secret.MakeReadOnly()
    $secret
}

# The text of a SecureString as UTF-8; the caller clears the array.
function script:Get-SecretBytes([securestring] $Secret) {
    $pointer = [Runtime.InteropServices.Marshal]::SecureStringToGlobalAllocUnicode($Secret)
    $characters = [Array]::CreateInstance([char], $Secret.Length)
    try {
        [Runtime.InteropServices.Marshal]::Copy($pointer, $characters, 0, $characters.Length)
        , [Text.Encoding]::UTF8.GetBytes($characters)
    }
    finally {
        [Array]::Clear($characters, 0, $characters.Length)
        [Runtime.InteropServices.Marshal]::ZeroFreeGlobalAllocUnicode($pointer)
    }
}

# What a script holds as a secret: a SecureString, or its text. Anything else would be sent as the name of its type.
function script:ConvertTo-Secret([string] $Parameter, $Value) {
    if ($Value -is [psobject]) { $Value = $Value.PSObject.BaseObject }
    $flaw = if ($Value -is [string]) { $Value = [Net.NetworkCredential]::new('', $Value).SecurePassword }
    elseif ($Value -isnot [securestring]) { "takes a text or a SecureString, not a $($Value.GetType().FullName)." }
    elseif (-not $Value.Length) { 'is empty.' }
    if ($flaw) { throw [System.Management.Automation.ErrorRecord]::new([ArgumentException]::new("-$Parameter $flaw"), 'SecretNotUsable', 'InvalidArgument', $null) }
    $Value
}
