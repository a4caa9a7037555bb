//! Files of the Gobi modems. They have no header, so they are recognised by name only (qdl.md §5).

/// What a Gobi file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum GobiType {
    /// `amss.mbn`, the modem firmware.
    Amss,
    /// `apps.mbn`, the application firmware.
    Apps,
    /// `uqcn.mbn`, the carrier's settings (Gobi 2000 and later).
    Uqcn,
}

impl GobiType {
    /// Recognises a file by its base name; case doesn't matter.
    pub fn of_name(name: &str) -> Option<Self> {
        let base = base_name(name);
        [Self::Amss, Self::Apps, Self::Uqcn]
            .into_iter()
            .find(|kind| base.eq_ignore_ascii_case(kind.file_name()))
    }

    /// The name of such a file.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Amss => "amss.mbn",
            Self::Apps => "apps.mbn",
            Self::Uqcn => "uqcn.mbn",
        }
    }

    /// The image type in QDL's open request (qdl.md §5).
    pub const fn qdl_code(self) -> u8 {
        match self {
            Self::Amss => 0x05,
            Self::Apps => 0x06,
            Self::Uqcn => 0x0D,
        }
    }

    /// How many bytes at the file's end aren't sent (qdl.md §5).
    pub const fn unsent_tail(self) -> u64 {
        match self {
            Self::Amss => 8,
            Self::Apps | Self::Uqcn => 0,
        }
    }
}

/// The last component of a Unix or Windows path.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::GobiType;

    #[test]
    fn gobi_files_are_recognised_by_their_base_name_alone() {
        assert_eq!(GobiType::of_name("/media/6/AMSS.mbn"), Some(GobiType::Amss));
        assert_eq!(GobiType::of_name("C:\\fw\\uqcn.MBN"), Some(GobiType::Uqcn));
        assert_eq!(GobiType::of_name("apps.mbn"), Some(GobiType::Apps));
        assert_eq!(GobiType::of_name("apps.mbn.zip"), None);
        assert_eq!(GobiType::of_name("uqcn/firmware.cwe"), None);
    }
}
