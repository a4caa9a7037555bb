//! A modem on PCIe is named, and nothing else is done with it.

use modem_world::{PciModem, PortId, World, WwanPort};
use modemflash_update_engine::{Code, Request, Selector, errand, on_pcie};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Mode, Setup};

use crate::support::normal::{release, running, wish};
use crate::support::run_in;

const PLACE: &str = "0000:01:00.0";

fn em919x() -> PciModem {
    PciModem {
        place: PLACE.to_owned(),
        vendor: 0x17cb,
        device: 0x0306,
        subsystem_vendor: 0x18d7,
        subsystem_device: 0x0200,
        driver: Some("mhi-pci-generic".to_owned()),
        ports: vec![WwanPort {
            id: PortId::new("/dev/wwan0mbim0"),
            language: Some("MBIM".to_owned()),
        }],
    }
}

/// A host with a serial adapter on USB and no modem there.
fn without_usb_modem() -> SimulatedWorld {
    SimulatedWorld::new(Setup {
        mode: Mode::Foreign,
        ..running("MC7455")
    })
}

fn at(place: &str) -> Request {
    Request {
        select: Selector::Place(place.to_owned()),
        ..Request::default()
    }
}

#[test]
fn where_only_a_modem_on_pcie_is_there_the_error_names_it() {
    let selects = [
        Selector::Only,
        Selector::Imei("999999999999999".into()),
        Selector::Place(PLACE.into()),
    ];
    for select in selects {
        let request = Request {
            select: select.clone(),
            ..Request::default()
        };
        let mut world = without_usb_modem();
        world.put_on_pcie(em919x());
        let asked = errand::info(&mut world, &request, &mut |_| {}).unwrap_err();
        let restarted = errand::reset(&mut world, &request, &mut |_| {}).unwrap_err();
        // A modem on PCIe doesn't come to USB by waiting.
        assert!(
            world.now().since_start().as_secs() < 1,
            "{select}: {:?}",
            world.now()
        );
        let images = release(Profile::named("MC7455").unwrap());
        let updated = run_in(world, &Request { select, ..wish() }, &images);
        for error in [&asked, &restarted, updated.error()] {
            assert_eq!((error.code(), error.exit_code()), (Code::ModemNone, 4), "{error}");
            let cause = error.source.to_string();
            assert!(
                cause.contains("0000:01:00.0 (EM919x (SDX55), 17cb:0306)"),
                "{cause}"
            );
            assert!(error.what().contains("on USB"), "{}", error.what());
            assert!(error.hint().contains("PCIe"), "{}", error.hint());
        }
        assert_eq!(updated.modem().violations(), []);
    }
}

#[test]
fn without_a_modem_on_pcie_nothing_is_said_of_pcie() {
    let error = errand::info(&mut without_usb_modem(), &Request::default(), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::ModemNone);
    let said = format!("{} {} {}", error.what(), error.source, error.hint());
    assert!(!said.contains("PCIe") && !said.contains("USB;"), "{said}");
}

#[test]
fn a_modem_on_usb_is_found_beside_one_on_pcie() {
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.put_on_pcie(em919x());
    let (modem, _) = errand::info(&mut world, &Request::default(), &mut |_| {}).unwrap();
    assert_eq!(modem.path().as_str(), "1-1");
}

#[test]
fn a_modem_on_pcie_is_listed_with_what_can_be_done() {
    let mut world = without_usb_modem();
    assert_eq!(on_pcie::all(&mut world).unwrap(), []);
    world.put_on_pcie(em919x());
    let unbound = PciModem {
        place: "0000:02:00.0".to_owned(),
        subsystem_device: 0x0999,
        driver: None,
        ports: Vec::new(),
        ..em919x()
    };
    world.put_on_pcie(unbound);
    let portless = PciModem {
        place: "0000:03:00.0".to_owned(),
        ports: Vec::new(),
        ..em919x()
    };
    world.put_on_pcie(portless);
    let found = on_pcie::all(&mut world).unwrap();
    let codes: Vec<Vec<&str>> = found
        .iter()
        .map(|known| known.warnings.iter().map(|remark| remark.code.as_str()).collect())
        .collect();
    assert_eq!(
        codes,
        [vec!["PCIE"], vec!["PCIE", "NO-DRIVER"], vec!["PCIE", "NO-DRIVER"]]
    );
    assert!(found[0].warnings[0].text.ends_with("on USB as 1199:90d2"));
    assert!(
        found[1].warnings[0]
            .text
            .ends_with("on USB as 1199:90d2 or 1199:90e2")
    );
    assert!(
        found[1].warnings[1]
            .text
            .contains("no driver has the PCI device 17cb:0306")
    );
    assert!(found[2].warnings[1].text.contains("created no port"));

    let named = on_pcie::named(&mut world, &at(PLACE).select).unwrap();
    assert_eq!(named.name, "EM919x (SDX55)");
    for other in [at("1-1").select, at("0000:09:00.0").select, Selector::Only] {
        assert_eq!(on_pcie::named(&mut world, &other), None, "{other}");
    }
}
