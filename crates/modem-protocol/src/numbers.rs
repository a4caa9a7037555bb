//! Enums for protocol numbers that have names.

/// Defines an enum of known values with their words, and `Other` for the rest.
macro_rules! numbers {
    ($(#[$meta:meta])* $name:ident: $int:ty { $($(#[$doc:meta])* $variant:ident = $value:literal, $word:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* #[doc = concat!($word, ", ", stringify!($value), ".")] $variant,)*
            /// A value that isn't in the specification. `From` returns it only for unknown values.
            Other($int),
        }

        impl $name {
            /// Every value that has a name.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// The value in words; `None` for [`Self::Other`].
            pub const fn word(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($word),)*
                    Self::Other(_) => None,
                }
            }

            /// The number on the wire.
            pub const fn code(self) -> $int {
                match self {
                    $(Self::$variant => $value,)*
                    Self::Other(other) => other,
                }
            }
        }

        impl From<$int> for $name {
            fn from(value: $int) -> Self {
                match value {
                    $($value => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }

        impl From<$name> for $int {
            fn from(value: $name) -> Self {
                value.code()
            }
        }
    };
}

pub(crate) use numbers;
