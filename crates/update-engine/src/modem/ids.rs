//! USB ids in words, and the commands with which root tells a driver about them.

/// `1199:90b0 or 1199:90c0`.
pub(crate) fn words(ids: &[(u16, u16)]) -> String {
    let each = ids
        .iter()
        .map(|(vendor, product)| format!("{vendor:04x}:{product:04x}"));
    each.collect::<Vec<_>>().join(" or ")
}

/// The commands that root runs so that a driver accepts these ids (linux.md §2).
pub(crate) fn commands(ids: &[(u16, u16)]) -> String {
    let each = ids.iter().map(|(vendor, product)| {
        format!("`echo {vendor:04x} {product:04x} > /sys/bus/usb-serial/drivers/option1/new_id`")
    });
    format!(
        "`modprobe option`, then {}",
        each.collect::<Vec<_>>().join(" and ")
    )
}
