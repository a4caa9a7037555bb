//! USB ids in words, and how root tells a driver of them.

/// `1199:90b0 or 1199:90c0`.
pub(crate) fn words(ids: &[(u16, u16)]) -> String {
    let each = ids
        .iter()
        .map(|(vendor, product)| format!("{vendor:04x}:{product:04x}"));
    each.collect::<Vec<_>>().join(" or ")
}

/// What root types so that a driver takes these ids (linux.md §2).
pub(crate) fn commands(ids: &[(u16, u16)]) -> String {
    let each = ids.iter().map(|(vendor, product)| {
        format!("`echo {vendor:04x} {product:04x} > /sys/bus/usb-serial/drivers/option1/new_id`")
    });
    format!(
        "`modprobe option`, then {}",
        each.collect::<Vec<_>>().join(" and ")
    )
}
