//! USB ids in words, and the commands with which root tells a driver about them.

/// The class of every interface that a driver needs an id for, as `new_id` takes it.
pub(super) const VENDOR_SPECIFIC: &str = "ff";

/// `1199:90b0 or 1199:90c0`.
pub(crate) fn words(ids: &[(u16, u16)]) -> String {
    let each = ids
        .iter()
        .map(|(vendor, product)| format!("{vendor:04x}:{product:04x}"));
    each.collect::<Vec<_>>().join(" or ")
}

/// The commands that root runs so that a serial driver accepts these ids (linux.md §2), each in backquotes.
///
/// The driver gets the class of the interfaces too. Without it the driver would also take MBIM's interfaces after a restart of the
/// modem, if the driver was loaded before `cdc_mbim` (seen in the kernel lab).
pub(crate) fn driver_commands(ids: &[(u16, u16)]) -> Vec<String> {
    let each = ids.iter().map(|(vendor, product)| {
        format!(
            "`echo {vendor:04x} {product:04x} {VENDOR_SPECIFIC} > /sys/bus/usb-serial/drivers/option1/new_id`"
        )
    });
    std::iter::once("`modprobe option`".to_owned())
        .chain(each)
        .collect()
}

/// The commands that root runs so that a serial driver accepts these ids, in words.
pub(crate) fn commands(ids: &[(u16, u16)]) -> String {
    one_after_the_other(&driver_commands(ids))
}

/// `a`; `a`, then `b`; `a`, then `b`, then `c`.
pub(crate) fn one_after_the_other(commands: &[String]) -> String {
    commands.join(", then ")
}
