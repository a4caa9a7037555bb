//! Boot loaders that `modemflash` uses without their ttys.

use super::scenario::Program::Ours;
use super::scenario::{Company, Files, Modem, NONE, PAIR, Scenario, Task, When, scenario};
use std::time::Duration;
use virtual_modem::ControlProtocol::{Mbim, Qmi};
use virtual_modem::quirk::HelloHabit;

/// Boot loaders whose hello is there as soon as somebody reads, on a busy host, where the kernel echoes what comes before the port is raw; and one
/// whose program is killed.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let at_once = |scenario: Scenario| Scenario {
        name: format!("{}-at-once", scenario.name),
        modem: Modem {
            habit: |quirks| quirks.hello = HelloHabit::Late(Duration::ZERO),
            ..scenario.modem
        },
        company: Company {
            busy: true,
            ..Company::default()
        },
        ..scenario
    };
    let flash = scenario(Task::Flash(Ours), "EM7565", None, Files::Sent(PAIR));
    let update = scenario(Task::Update(Ours), "EM7565", Some(Qmi), Files::Sent(PAIR));
    let to_and_fro = |rounds| {
        at_once(scenario(
            Task::ToAndFro(rounds),
            "EM7565",
            Some(Mbim),
            Files::Sent(NONE),
        ))
    };
    vec![
        at_once(flash),
        at_once(update),
        to_and_fro(5),
        scenario(Task::Killed, "EM7565", None, Files::Sent(PAIR)),
        Scenario {
            name: "ours-to-and-fro-em7565-mbim-at-once-100".into(),
            when: When::All,
            deadline: Duration::from_secs(1200),
            ..to_and_fro(100)
        },
    ]
}
