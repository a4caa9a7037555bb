//! The four-letter types of images (cwe.md §4, images.md §3).

use crate::Text;
use core::fmt;

macro_rules! image_types {
    ($($variant:ident $code:literal $meaning:literal;)*) => {
        /// What an image is for. Unknown types are kept and shown, never refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ImageType {
            $(#[doc = concat!("`", $code, "`: ", $meaning, ".")] $variant,)*
            /// A type that isn't in the list.
            Other(Text<4>),
        }

        impl ImageType {
            /// The type of a header field.
            pub fn from_text(text: Text<4>) -> Self {
                match text.as_str() {
                    $($code => Self::$variant,)*
                    _ => Self::Other(text),
                }
            }

            /// The four letters.
            pub fn code(&self) -> &str {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Other(text) => text.as_str(),
                }
            }

            /// What it is for, in a few words.
            pub const fn meaning(&self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                    Self::Other(_) => "unknown type",
                }
            }
        }

        #[cfg(test)]
        pub(crate) const KNOWN: &[&str] = &[$($code),*];
    };
}

image_types! {
    PartitionTable "QPAR" "partition table";
    BootLoader1 "SBL1" "first boot loader";
    BootLoader2 "SBL2" "second boot loader";
    Dsp1 "DSP1" "signal processor firmware";
    Dsp2 "DSP2" "signal processor firmware";
    Dsp3 "DSP3" "signal processor firmware";
    ResourceManager "QRPM" "resource and power manager";
    Boot "BOOT" "boot loaders";
    Application "APPL" "application system";
    OsBootLoader "OSBL" "operating system boot loader";
    Amss "AMSS" "modem firmware";
    Kernel "APPS" "application processor kernel";
    AppsBootLoader "APBL" "application processor boot loader";
    NvBackupFactory "NVBF" "settings backup";
    NvBackupOem "NVBO" "settings backup";
    NvBackupUser "NVBU" "settings backup";
    NvBackupCarrier "NVBC" "settings backup";
    Executable "EXEC" "executable";
    SoftwareConfiguration "SWOC" "software configuration";
    Fota "FOTO" "over-the-air update agent";
    File "FILE" "file";
    Package "SPKG" "package";
    Modem "MODM" "modem system";
    System "SYST" "root file system";
    User "USER" "user file system";
    HostData "HDAT" "host data";
    Splash "SPLA" "splash image";
    NvUpdate "NVUP" "settings (PRI)";
    Qmba "QMBA" "modem boot authenticator";
    TrustZone "TZON" "trust zone";
    Qsdi "QSDI" "device information";
    Archive "ARCH" "archive of settings";
    UserApplication "UAPP" "user application";
    Lram "LRAM" "memory image";
    Customer0 "CUS0" "customer image";
    Customer1 "CUS1" "customer image";
    Customer2 "CUS2" "customer image";
    CustomerG "CUSG" "customer image";
    Hash "HASH" "hash";
    Meta "META" "description of the target of a delta";
    Keys "KEYS" "key store";
    DeviceConfiguration "DCFG" "device configuration";
    Taop "TAOP" "type named in the vendor's list";
}

impl ImageType {
    /// The header field.
    pub fn text(&self) -> Text<4> {
        match self {
            Self::Other(text) => *text,
            known => Text::new(known.code()).unwrap_or(Text::EMPTY),
        }
    }
}

impl fmt::Display for ImageType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.code(), formatter)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ImageType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::{ImageType, KNOWN};
    use crate::Text;

    #[test]
    fn every_type_keeps_its_letters() {
        for code in KNOWN.iter().chain(&["ZZZZ", "X", ""]) {
            let text = Text::new(code).unwrap();
            let image_type = ImageType::from_text(text);
            assert_eq!(image_type.code(), *code);
            assert_eq!(image_type.text(), text);
        }
        assert_eq!(KNOWN.len(), 43);
        assert_eq!(
            ImageType::from_text(Text::new("SPKG").unwrap()),
            ImageType::Package
        );
    }
}
