//! The .NET types that PSRP messages name.

use crate::clixml::{Content, Object, TypeNames, Value, type_names};
use std::sync::LazyLock;

/// The chain of an enum's type names. To be made once: equal pointers are what lets the writer name a type once.
pub(super) fn enumeration_types(name: &str) -> TypeNames {
    type_names(&[name, "System.Enum", "System.ValueType", "System.Object"])
}

/// A value of the enum of these type names.
pub(super) fn enumeration(types: &TypeNames, text: &str, number: i32) -> Value {
    let object = Object {
        type_names: Some(types.clone()),
        to_string: Some(text.into()),
        content: Content::Primitive(Value::I32(number)),
        ..Object::new()
    };
    object.into()
}

/// A list of these type names.
pub(super) fn list(types: &TypeNames, items: Vec<Value>) -> Value {
    Object { type_names: Some(types.clone()), content: Content::List(items), ..Object::new() }.into()
}

/// The text of a flags enum as .NET gives it: the names of the bits, or the number where a bit has no name.
pub(super) fn flags_text(names: &[(i32, &str)], number: i32) -> String {
    if let Some((_, name)) = names.iter().find(|(n, _)| *n == number) {
        return (*name).to_owned();
    }
    let set: Vec<_> = names.iter().filter(|(n, _)| n.count_ones() == 1 && number & n != 0).collect();
    if number == 0 || set.iter().fold(0, |all, (n, _)| all | n) != number {
        return number.to_string();
    }
    set.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

/// `List<PSObject>`, in the form of Windows PowerShell 3.0 to 5.1.
pub(super) static OBJECT_LIST: LazyLock<TypeNames> = LazyLock::new(|| {
    type_names(&[
        "System.Collections.Generic.List`1[[System.Management.Automation.PSObject, System.Management.Automation, \
         Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]",
        "System.Object",
    ])
});

/// `string[]`.
pub(super) static STRING_ARRAY: LazyLock<TypeNames> = LazyLock::new(|| type_names(&["System.String[]", "System.Array", "System.Object"]));

/// `object[]`.
pub(super) static OBJECT_ARRAY: LazyLock<TypeNames> = LazyLock::new(|| type_names(&["System.Object[]", "System.Array", "System.Object"]));

/// `System.Threading.ApartmentState`, which PowerShell leaves Unknown.
pub(super) fn apartment_state() -> Value {
    static TYPES: LazyLock<TypeNames> = LazyLock::new(|| enumeration_types("System.Threading.ApartmentState"));
    enumeration(&TYPES, "Unknown", 2)
}

/// `PSThreadOptions`, which PowerShell leaves Default.
pub(super) fn thread_options() -> Value {
    static TYPES: LazyLock<TypeNames> = LazyLock::new(|| enumeration_types("System.Management.Automation.Runspaces.PSThreadOptions"));
    enumeration(&TYPES, "Default", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_read_as_net_writes_them() {
        let names = [(1, "A"), (2, "B"), (4, "C"), (7, "All")];
        let texts = [0, 1, 3, 7, 8, 9].map(|n| flags_text(&names, n));
        assert_eq!(texts, ["0", "A", "A, B", "All", "8", "9"]);
    }
}
