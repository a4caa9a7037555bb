//! What the user reads: whole errors, with all four parts in words.

use crate::support::{self, images_for, request, run_in};
use modemflash_update_engine::Request;
use virtual_modem::profile::Profile;
use virtual_modem::quirk::{HelloHabit, Provoked};
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Mode, Setup};

/// The error of a run with this modem behind the port. With `is_hidden`, the host sees no USB device behind
/// the port.
fn words(model: &str, change: impl Fn(&mut Setup), is_hidden: bool) -> String {
    let mut setup = Setup::of(Profile::named(model).unwrap());
    change(&mut setup);
    let images = images_for(setup.profile, 3, &[9_000]);
    let mut world = SimulatedWorld::new(setup);
    if is_hidden {
        world.hide_device(0);
    }
    let request = Request {
        force: is_hidden,
        ..request()
    };
    let run = run_in(world, &request, &images);
    let error = run.error();
    format!(
        "error[{}]: {error}\n  cause: {}\n  modem: {}\nhint: {}\nexit {}",
        error.code(),
        error.source,
        error.modem,
        error.hint(),
        error.exit_code()
    )
}

fn in_mode(model: &str, mode: Mode, is_hidden: bool) -> String {
    words(model, |setup| setup.mode = mode, is_hidden)
}

#[test]
fn an_error_about_a_port_of_normal_mode_says_how_that_is_known() {
    for (mode, cause) in [
        (
            Mode::Diag,
            "the port answers the download probe as a DIAG port does (0x13, bad command)",
        ),
        (Mode::Echo, "the port echoes what it is sent, as an AT port does"),
    ] {
        assert_eq!(
            in_mode("MC7455", mode, true),
            format!(
                "error[E-MODE-NORMAL]: /dev/ttyUSB0: the modem is in normal mode, not in download mode\n  \
                 cause: {cause}\n  \
                 modem: in normal mode, running its firmware\n\
                 hint: run again and name the modem by its place (--port, see `modemflash list`): modemflash then \
                 switches a running modem to download mode itself\nexit 5"
            )
        );
    }
}

#[test]
fn a_port_of_something_else_is_named_with_what_it_is_or_says() {
    assert_eq!(
        in_mode("EM7565", Mode::Foreign, false),
        "error[E-DEVICE-FOREIGN]: 1-1 (FT232R USB UART): this is not a Sierra Wireless modem\n  \
         cause: /dev/ttyUSB0 belongs to 0403:6001 (FT232R USB UART), which is not a Sierra Wireless modem\n  \
         modem: untouched; nothing was sent to it\n\
         hint: choose the modem's own port; a modem in download mode has exactly one\nexit 4"
    );
    assert_eq!(
        in_mode("EM7565", Mode::Foreign, true),
        "error[E-ANSWER-FOREIGN]: /dev/ttyUSB0: the answer is not from a known boot loader\n  \
         cause: the answer to the download probe was \"\\r\\nlogin: \"\n  \
         modem: not known; it left the bus or gives no answer that modemflash can understand\n\
         hint: choose the modem's own port; a modem in download mode has exactly one\nexit 9"
    );
}

#[test]
fn a_modem_beyond_repair_is_called_that() {
    assert_eq!(
        in_mode("MC7455", Mode::Pbl, true),
        "error[E-MODE-EMERGENCY]: /dev/ttyUSB0: the modem is in Qualcomm's emergency mode\n  \
         cause: a boot loader without streaming download refused (reason 6): this is Qualcomm's boot loader, and \
         Sierra's is gone\n  \
         modem: in Qualcomm's emergency mode: Sierra's boot loader is gone, and the modem accepts no firmware\n\
         hint: this modem has lost Sierra's boot loader and can't be repaired with Sierra's files; ask the vendor\nexit 4"
    );
}

#[test]
fn a_modem_that_no_driver_would_know_in_download_mode_comes_with_the_commands_that_help() {
    let setup = Setup::running(Profile::named("EM9291").unwrap());
    let images = support::normal::release(setup.profile);
    let world = SimulatedWorld::new(setup).with_mainline_drivers();
    let run = run_in(world, &Request::default(), &images);
    let error = run.error();
    assert_eq!(
        format!(
            "error[{}]: {error}\n  cause: {}\n  modem: {}\nhint: {}\nexit {}",
            error.code(),
            error.source,
            error.modem,
            error.hint(),
            error.exit_code()
        ),
        "error[E-DOWNLOAD-NO-PORT]: 2-1 (EM9291): the modem can't be reached in download mode on this host\n  \
         cause: in download mode the modem has the USB id 1199:90e2, and no driver on this host creates a port for \
         that id\n  \
         modem: in normal mode, running its firmware\n\
         hint: first tell a driver about that id, as root: `modprobe option`, then \
         `echo 1199 90e2 ff > /sys/bus/usb-serial/drivers/option1/new_id`; then run the same command again\nexit 4"
    );
}

#[test]
fn a_dead_port_is_reported_with_everything_that_was_tried() {
    let tail = "modem: not known; it left the bus or gives no answer that modemflash can understand\n\
                hint: disconnect the modem's power for 10 s, then run the same command again (safe to repeat)\nexit 9";
    assert_eq!(
        in_mode("MC7455", Mode::Dead, false),
        format!(
            "error[E-DETECT-SILENT]: 1-1 (MC7455/MC7430/EM7455/EM7430): nothing answers on the port\n  \
             cause: no byte came from the port; tried: the download probe, reopening the port, re-enumeration, \
             a dummy packet, a streaming NOP\n  {tail}"
        )
    );
    assert_eq!(
        in_mode("EM7565", Mode::Dead, true),
        format!(
            "error[E-DETECT-SILENT]: /dev/ttyUSB0: nothing answers on the port\n  \
             cause: no byte came from the port; tried: listening, reopening the port, a Firehose NOP, \
             a dummy packet, the download probe, a streaming NOP, a Sahara hello response\n  {tail}"
        )
    );
}

#[test]
fn a_boot_loader_that_refuses_after_every_provocation_points_to_other_programs() {
    let refuses = |setup: &mut Setup| {
        setup.quirks.hello = HelloHabit::AfterBytes;
        setup.quirks.provoked = Provoked::Refused;
    };
    assert_eq!(
        words("RC7620", refuses, false),
        "error[E-SAHARA-SPOILED]: 1-1 (RC7620): \
         the boot loader refuses to accept firmware while the download protocol was being started\n  \
         cause: the boot loader refused the switch to Firehose (command unsupported (0x1f)) again after it was reset\n  \
         modem: in download mode, nothing written; it will connect again after an update or a restart\n\
         hint: stop programs that write to new ports, such as ModemManager; then disconnect the modem's power for 10 s \
         and run the same command again (safe to repeat)\nexit 6"
    );
}
