//! The values that CLIXML can hold.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// A .NET string: UTF-16, in which half of a surrogate pair may stand alone. Such strings are rare, so UTF-8 is the
/// usual form and the units are kept only where UTF-8 would lose something.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text(Form);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Form {
    Utf8(String),
    /// Always holds at least one lone surrogate, so that equal texts have equal forms.
    Units(Vec<u16>),
}

impl Text {
    /// The text of these UTF-16 units.
    pub fn from_units(units: &[u16]) -> Self {
        match String::from_utf16(units) {
            Ok(s) => Self(Form::Utf8(s)),
            Err(_) => Self(Form::Units(units.to_vec())),
        }
    }

    /// As UTF-8, unless half a surrogate pair stands alone in it.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Form::Utf8(s) => Some(s),
            Form::Units(_) => None,
        }
    }

    /// As UTF-8, with U+FFFD for what UTF-8 cannot hold.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        match &self.0 {
            Form::Utf8(s) => Cow::Borrowed(s),
            Form::Units(u) => Cow::Owned(String::from_utf16_lossy(u)),
        }
    }

    /// The UTF-16 units.
    pub fn to_units(&self) -> Vec<u16> {
        match &self.0 {
            Form::Utf8(s) => s.encode_utf16().collect(),
            Form::Units(u) => u.clone(),
        }
    }
}

impl From<&str> for Text {
    fn from(s: &str) -> Self {
        Self(Form::Utf8(s.to_owned()))
    }
}

impl From<String> for Text {
    fn from(s: String) -> Self {
        Self(Form::Utf8(s))
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(*other)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_str_lossy().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_str_lossy())
    }
}

/// One value. Numbers, dates and the like that Rust has no lossless type for are kept in their round-trip text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `Nil`: $null.
    Nil,
    /// `S`: System.String.
    String(Text),
    /// `C`: System.Char, one UTF-16 unit.
    Char(u16),
    /// `B`: System.Boolean.
    Bool(bool),
    /// `DT`: System.DateTime in round-trip form; no suffix is unspecified, `Z` is UTC, an offset is local.
    DateTime(String),
    /// `TS`: System.TimeSpan as an xs:duration.
    Duration(String),
    /// `By`.
    U8(u8),
    /// `SB`.
    I8(i8),
    /// `U16`.
    U16(u16),
    /// `I16`.
    I16(i16),
    /// `U32`.
    U32(u32),
    /// `I32`.
    I32(i32),
    /// `U64`.
    U64(u64),
    /// `I64`.
    I64(i64),
    /// `Sg`.
    F32(f32),
    /// `Db`.
    F64(f64),
    /// `D`: System.Decimal in its text.
    Decimal(String),
    /// `BA`: bytes.
    Bytes(Vec<u8>),
    /// `G`.
    Guid(Uuid),
    /// `URI`.
    Uri(Text),
    /// `Version`.
    Version(String),
    /// `SemanticVersion`. PowerShell 7.6 writes an `Obj` instead and does not know the element.
    SemanticVersion(String),
    /// `XD`: the text of an XmlDocument.
    Xml(Text),
    /// `SBK`: the text of a script block.
    ScriptBlock(Text),
    /// `SS`: a SecureString as it travels, base64 of AES under the session key (MS-PSRP 2.2.5.1.24).
    SecureString(String),
    /// `PR`: a progress record as the classic CLIXML has it (MS-PSRP 2.2.5.1.25): its fields in document order.
    Progress(Vec<Property>),
    /// `Obj`.
    Object(Arc<Object>),
    /// `MS` inside `MS`: members under a name of their own. Stands only as the value of a [`Property`] in `extended`.
    MemberSet(Vec<Property>),
    /// `Ref`: the object with this id, which may be the one that encloses it.
    Reference(ObjectId),
}

/// Tells objects apart. Unique in the process, so that values of several documents can stand in one;
/// the reader maps RefIds to these and the writer maps them back, counting from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectId(u64);

impl ObjectId {
    /// An id that no other object has.
    #[allow(clippy::new_without_default, reason = "every call gives another id, which a default must not")]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The type names of an object, most derived first. Shared: the writer gives equal pointers one TN and TNRefs.
pub type TypeNames = Arc<[Text]>;

/// An `Obj` (MS-PSRP 2.2.5.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// What a [`Value::Reference`] points at.
    pub id: ObjectId,
    /// `TN` or `TNRef`.
    pub type_names: Option<TypeNames>,
    /// `ToString`.
    pub to_string: Option<Text>,
    /// What the object is besides its properties.
    pub content: Content,
    /// `Props`: properties of the type. None and empty are different on the wire.
    pub adapted: Option<Vec<Property>>,
    /// `MS`: properties added to the object.
    pub extended: Option<Vec<Property>>,
}

/// What an object is besides its properties.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A property bag.
    None,
    /// A primitive with notes, or an enum with its number; seldom another object.
    Primitive(Value),
    /// `LST`.
    List(Vec<Value>),
    /// `IE`.
    Enumerable(Vec<Value>),
    /// `STK`.
    Stack(Vec<Value>),
    /// `QUE`.
    Queue(Vec<Value>),
    /// `DCT`.
    Dictionary(Vec<(Value, Value)>),
}

/// A named value in `Props` or `MS`.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// The attribute `N`.
    pub name: Text,
    /// The value.
    pub value: Value,
}

impl Property {
    /// A property.
    pub fn new(name: impl Into<Text>, value: impl Into<Value>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Object {
    /// An object with nothing in it.
    #[allow(clippy::new_without_default, reason = "every object has an id of its own")]
    pub fn new() -> Self {
        Self { id: ObjectId::new(), type_names: None, to_string: None, content: Content::None, adapted: None, extended: None }
    }

    /// A property bag in `MS`: the form of nearly every PSRP message.
    pub fn bag(properties: Vec<Property>) -> Self {
        Self { extended: Some(properties), ..Self::new() }
    }

    /// An enum value: type chain `name`, System.Enum, System.ValueType, System.Object; text; number.
    pub fn enumeration(type_name: &str, text: &str, number: i32) -> Self {
        Self {
            type_names: Some(type_names(&[type_name, "System.Enum", "System.ValueType", "System.Object"])),
            to_string: Some(text.into()),
            content: Content::Primitive(Value::I32(number)),
            ..Self::new()
        }
    }

    /// A list, typed System.Collections.ArrayList.
    pub fn list(items: Vec<Value>) -> Self {
        Self {
            type_names: Some(type_names(&["System.Collections.ArrayList", "System.Object"])),
            content: Content::List(items),
            ..Self::new()
        }
    }

    /// A dictionary, typed System.Collections.Hashtable.
    pub fn dictionary(entries: Vec<(Value, Value)>) -> Self {
        Self {
            type_names: Some(type_names(&["System.Collections.Hashtable", "System.Object"])),
            content: Content::Dictionary(entries),
            ..Self::new()
        }
    }

    /// The property of this name, extended before adapted, case ignored as PowerShell does.
    pub fn property(&self, name: &str) -> Option<&Value> {
        let lists = [self.extended.as_deref(), self.adapted.as_deref()];
        let found = lists.into_iter().flatten().flatten().find(|p| p.name.as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
        found.map(|p| &p.value)
    }

    /// Whether this type name is among the object's, with or without the `Deserialized.` prefix.
    pub fn is_a(&self, type_name: &str) -> bool {
        self.type_names
            .iter()
            .flat_map(|t| t.iter())
            .filter_map(Text::as_str)
            .any(|n| n.strip_prefix("Deserialized.").unwrap_or(n) == type_name)
    }
}

/// Type names from string slices.
pub fn type_names(names: &[&str]) -> TypeNames {
    names.iter().map(|n| Text::from(*n)).collect()
}

impl Value {
    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(o) => Some(o),
            _ => None,
        }
    }

    /// The property of this name, if this is an object that has it.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.as_object()?.property(name)
    }

    /// The primitive inside an object that wraps one, else the value itself.
    pub fn unwrapped(&self) -> &Value {
        match self {
            Self::Object(o) => match &o.content {
                Content::Primitive(v) => v,
                _ => self,
            },
            _ => self,
        }
    }

    /// The text, if it is a string (wrapped or not) that UTF-8 can hold.
    pub fn as_str(&self) -> Option<&str> {
        match self.unwrapped() {
            Self::String(t) | Self::Uri(t) | Self::Xml(t) | Self::ScriptBlock(t) => t.as_str(),
            _ => None,
        }
    }

    /// The whole number, whatever its width, wrapped (as enums are) or not.
    pub fn as_i64(&self) -> Option<i64> {
        match *self.unwrapped() {
            Self::U8(n) => Some(n.into()),
            Self::I8(n) => Some(n.into()),
            Self::U16(n) => Some(n.into()),
            Self::I16(n) => Some(n.into()),
            Self::U32(n) => Some(n.into()),
            Self::I32(n) => Some(n.into()),
            Self::U64(n) => n.try_into().ok(),
            Self::I64(n) => Some(n),
            _ => None,
        }
    }

    /// The truth value, if it is one (wrapped or not).
    pub fn as_bool(&self) -> Option<bool> {
        match *self.unwrapped() {
            Self::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// The items, if it is a list of any kind.
    pub fn as_list(&self) -> Option<&[Value]> {
        match &self.as_object()?.content {
            Content::List(v) | Content::Enumerable(v) | Content::Stack(v) | Content::Queue(v) => Some(v),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Self::String(v.into())
    }
}

impl From<String> for Value {
    fn from(v: String) -> Self {
        Self::String(v.into())
    }
}

impl From<Text> for Value {
    fn from(v: Text) -> Self {
        Self::String(v)
    }
}

impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Self::Bool(v)
    }
}

impl From<i32> for Value {
    fn from(v: i32) -> Self {
        Self::I32(v)
    }
}

impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Self::I64(v)
    }
}

impl From<Uuid> for Value {
    fn from(v: Uuid) -> Self {
        Self::Guid(v)
    }
}

impl From<Object> for Value {
    fn from(v: Object) -> Self {
        Self::Object(Arc::new(v))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Nil, Into::into)
    }
}
