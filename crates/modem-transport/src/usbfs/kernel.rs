//! The kernel's interface (`include/uapi/linux/usbdevice_fs.h`).

use std::ffi::c_void;
use std::os::fd::OwnedFd;

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, opcode};

/// `struct usbdevfs_urb`.
#[repr(C)]
pub(super) struct Urb {
    pub(super) kind: u8,
    pub(super) endpoint: u8,
    pub(super) status: i32,
    pub(super) flags: u32,
    pub(super) buffer: *mut c_void,
    pub(super) buffer_length: i32,
    pub(super) actual_length: i32,
    pub(super) start_frame: i32,
    pub(super) stream_id: u32,
    pub(super) error_count: i32,
    pub(super) signal: u32,
    pub(super) user_context: *mut c_void,
}

/// `USBDEVFS_URB_TYPE_BULK`.
pub(super) const BULK: u8 = 3;

/// `struct usbdevfs_disconnect_claim`.
#[repr(C)]
pub(super) struct DisconnectClaim {
    pub(super) interface: u32,
    pub(super) flags: u32,
    pub(super) driver: [u8; 256],
}

/// `USBDEVFS_DISCONNECT_CLAIM_EXCEPT_DRIVER`: fails if this driver has the interface.
pub(super) const EXCEPT_DRIVER: u32 = 2;

/// `struct usbdevfs_ioctl`.
#[repr(C)]
pub(super) struct OfInterface {
    pub(super) interface: i32,
    pub(super) code: i32,
    pub(super) data: *mut c_void,
}

pub(super) const SUBMIT: Opcode = opcode::read::<Urb>(b'U', 10);
pub(super) const REAP_NOW: Opcode = opcode::write::<*mut c_void>(b'U', 13);
pub(super) const RELEASE: Opcode = opcode::read::<u32>(b'U', 16);
pub(super) const ON_INTERFACE: Opcode = opcode::read_write::<OfInterface>(b'U', 18);
const CONNECT: Opcode = opcode::none(b'U', 23);
/// The same as an argument of `ON_INTERFACE`, where it is signed.
#[allow(clippy::cast_possible_wrap, reason = "the same 32 bits")]
pub(super) const CONNECT_CODE: i32 = CONNECT as i32;
pub(super) const DISCONNECT_AND_CLAIM: Opcode = opcode::read::<DisconnectClaim>(b'U', 27);

// The numbers that the kernel's header gives. A number holds the size of its argument.
#[cfg(all(
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
const _: () =
    assert!(SUBMIT == 0x8038_550a && REAP_NOW == 0x4008_550d && DISCONNECT_AND_CLAIM == 0x8108_551b);
#[cfg(all(target_pointer_width = "32", any(target_arch = "x86", target_arch = "arm")))]
const _: () =
    assert!(SUBMIT == 0x802c_550a && REAP_NOW == 0x4004_550d && DISCONNECT_AND_CLAIM == 0x8108_551b);
#[cfg(target_arch = "mips")]
const _: () =
    assert!(SUBMIT == 0x402c_550a && REAP_NOW == 0x8004_550d && DISCONNECT_AND_CLAIM == 0x4108_551b);

/// One of the calls above, with the address of its argument.
pub(super) struct Call<const CODE: Opcode>(pub(super) *mut c_void);

#[expect(unsafe_code, reason = "usbfs has no safe interface")]
// SAFETY: the calls write at most to what is behind the address, and their results have no other meaning than success.
unsafe impl<const CODE: Opcode> Ioctl for Call<CODE> {
    type Output = ();
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        CODE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.0
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

/// Makes one of the calls with this argument, which the kernel uses only until the call returns.
pub(super) fn call<const CODE: Opcode, T>(descriptor: &OwnedFd, argument: &mut T) -> rustix::io::Result<()> {
    #[expect(unsafe_code, reason = "usbfs has no safe interface")]
    // SAFETY: the argument is of the type that the number of the call belongs to, and lives longer than the call.
    unsafe {
        rustix::ioctl::ioctl(descriptor, Call::<CODE>(std::ptr::from_mut(argument).cast()))
    }
}
