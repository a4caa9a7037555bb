//! A bench for running firmware: one port at a time, whole messages.

use std::time::Duration;

use firmware_image::Family;
use firmware_image::generate::sets::{Wishes, usual_files};
use modem_protocol::mbim::{Body, Message};
use modem_protocol::qmi::dms::{self, OperatingMode};
use modem_protocol::qmi::{Frame, Service, ctl};
use modemflash_virtual_modem::profile::{Protocol, Timings};
use modemflash_virtual_modem::{
    Appearance, ControlProtocol, FunctionKind, Layout, Mode, Output, Profile, Setup, VirtualModem,
};

use super::Bench;

/// A model with running firmware that needs no time.
pub fn running(model: &str) -> Setup {
    let mut setup = Setup::running(Profile::named(model).expect("a model"));
    setup.timings = Timings::INSTANT;
    setup.quirks.ignored_messages = 0;
    setup
}

/// Running firmware with its control port open.
pub struct Normal {
    pub bench: Bench,
    pub layout: Layout,
    pub control: u8,
    transaction: u16,
    pub client: u8,
}

impl Normal {
    /// The modem on the bus, all ports open, no client allocated.
    pub fn bare(setup: Setup) -> Self {
        let mut bench = Bench {
            modem: VirtualModem::new(setup),
            now: modem_protocol::Instant::START,
            seen: Vec::new(),
            detached: 0,
        };
        let layout = attached(&mut bench);
        let mut normal = Self {
            bench,
            layout,
            control: 0,
            transaction: 0,
            client: 0,
        };
        normal.open_all();
        normal
    }

    /// The same with a client of device management.
    pub fn new(setup: Setup) -> Self {
        let mut normal = Self::bare(setup);
        normal.allocate();
        normal
    }

    pub fn open_all(&mut self) {
        let now = self.bench.now;
        self.layout = self.bench.modem.layout().clone();
        for function in &self.layout.interfaces {
            self.bench.modem.port_opened(function.number, now);
            self.bench.modem.terminal_ready(function.number, true, now);
        }
        self.control = self
            .layout
            .find(FunctionKind::Qmi)
            .or_else(|| self.layout.find(FunctionKind::MbimControl))
            .expect("a control port");
        let _ = self.bench.hear_for(Duration::from_secs(30));
        if self.is_mbim() {
            let open = Message {
                transaction: 1,
                body: Body::Open {
                    max_control_transfer: 4096,
                },
            };
            let answers = self.ask_on(self.control, &open.encode());
            let done = Message::parse(&answers[0]).unwrap();
            assert!(matches!(done.body, Body::OpenDone(_)), "{done:?}");
        }
    }

    pub fn is_mbim(&self) -> bool {
        self.layout.kind(self.control) == Some(FunctionKind::MbimControl)
    }

    pub fn allocate(&mut self) {
        let request = ctl::Request::Allocate {
            service: Service::Dms,
        };
        let answer = self.frame(&request.to_frame(1)).expect("an answer");
        let response = ctl::Response::parse(answer.message, &answer.tlvs).unwrap();
        let ctl::Response::Allocated { client, .. } = response.unwrap() else {
            panic!("{answer:?}")
        };
        self.client = client;
    }

    /// Sends bytes on a port and gives what comes on it within 5 s, message by message.
    pub fn ask_on(&mut self, interface: u8, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.bench.modem.receive(interface, bytes, self.bench.now);
        self.hear_on(interface, Duration::from_secs(5))
    }

    pub fn hear_on(&mut self, interface: u8, span: Duration) -> Vec<Vec<u8>> {
        let end = self.bench.now + span;
        let mut heard = Vec::new();
        loop {
            match self.bench.modem.poll(self.bench.now) {
                Output::Send { interface: on, bytes } if on == interface => heard.push(bytes),
                Output::Send { .. } => {}
                Output::Attach(appearance) => self.note(appearance),
                Output::Detach => self.bench.detached += 1,
                Output::Wait(until) if until > end => {
                    self.bench.now = end;
                    return heard;
                }
                Output::Wait(until) => self.bench.now = self.bench.now.max(until),
            }
        }
    }

    fn note(&mut self, Appearance { device, layout }: Appearance) {
        self.bench.seen.push((device.id(), device.interfaces.unwrap()));
        self.layout = layout;
    }

    /// Sends a QMI frame, inside MBIM where that is needed.
    pub fn frame(&mut self, frame: &Frame) -> Option<Frame> {
        if !self.is_mbim() {
            let answers = self.ask_on(self.control, &frame.encode());
            return answers.first().map(|answer| Frame::parse(answer).unwrap());
        }
        let command = modem_protocol::mbim::qmi::command(7, frame);
        let answers = self.ask_on(self.control, &command.encode());
        let message = Message::parse(answers.first()?).unwrap();
        match modem_protocol::mbim::qmi::content(&message).unwrap() {
            modem_protocol::mbim::qmi::Content::Frame(frame) => Some(frame),
            other => panic!("{other:?}"),
        }
    }

    /// Asks device management; the error is the modem's number.
    pub fn dms(&mut self, request: &dms::Request) -> Result<dms::Response, u16> {
        self.transaction += 1;
        let answer = self
            .frame(&request.to_frame(self.client, self.transaction))
            .expect("an answer");
        dms::Response::parse(answer.message, &answer.tlvs)
            .unwrap()
            .map_err(|error| error.code())
    }

    /// Sets the preference; gives the codes of the types that are missing.
    pub fn prefer(&mut self, firmware: &str, config: &str, carrier: &str) -> Vec<u8> {
        let request = dms::Request::SetFirmwarePreference {
            preference: dms::FirmwarePreference::new(firmware, config, carrier).unwrap(),
            download_override: false,
            storage_index: None,
        };
        match self.dms(&request) {
            Ok(dms::Response::FirmwarePreferenceSet(Some(list))) => {
                list.into_iter().map(dms::ImageType::code).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Offline, then reset; waits until the modem is back on the bus.
    pub fn power_cycle(&mut self) {
        for mode in [OperatingMode::Offline, OperatingMode::Reset] {
            self.transaction += 1;
            let request = dms::Request::SetOperatingMode(mode);
            let _ = self.frame(&request.to_frame(self.client, self.transaction));
        }
        self.wait_for_return();
    }

    pub fn wait_for_return(&mut self) {
        for _ in 0..400 {
            if self.bench.modem.is_on_bus() && self.bench.detached > 0 {
                return;
            }
            let _ = self.hear_on(0, Duration::from_secs(1));
        }
    }

    /// One AT command, with `\r`; the answer as text with the echo.
    pub fn at(&mut self, command: &str) -> String {
        let port = self.layout.find(FunctionKind::At).expect("an AT port");
        let answer = self.ask_on(port, format!("{command}\r").as_bytes());
        String::from_utf8(answer.concat()).unwrap()
    }

    /// Whether an AT command is answered with OK.
    pub fn at_ok(&mut self, command: &str) -> bool {
        self.at(command).ends_with("\r\nOK\r\n")
    }

    /// Writes files in download mode and resets.
    pub fn flash(&mut self, files: &[Vec<u8>]) {
        assert_eq!(self.bench.modem.mode(), Mode::Download);
        let profile = self.bench.modem.setup().profile;
        self.bench.modem.port_opened(0, self.bench.now);
        match profile.protocol {
            Protocol::Qdl(traits) => self.flash_qdl(traits.starts_in_dload, files),
            Protocol::Sahara(_) => {
                self.bench.configured();
                for file in files {
                    self.silence();
                    let sectors = file.len().div_ceil(4096);
                    let _ = self.bench.program(sectors as u64);
                    let mut bytes = file.clone();
                    bytes.resize(sectors * 4096, 0);
                    if file.len() % 8192 != 0 {
                        bytes.extend_from_slice(&[0; 512]);
                    }
                    let _ = self.bench.raw(&bytes);
                }
                self.silence();
                let _ = self.bench.reset();
            }
        }
        let _ = self.hear_on(0, Duration::from_secs(200));
        assert_eq!(self.bench.modem.mode(), Mode::Normal);
        self.open_all();
    }

    /// NOP until an ACK comes: the zero block leads to complaints.
    fn silence(&mut self) {
        use modem_protocol::firehose::message::{FirehoseRequest, Verdict};
        let is_silent = |bench: &mut Bench| {
            let answers = bench.document(&FirehoseRequest::Ping);
            matches!(super::verdicts(&answers).last(), Some((Verdict::Ack, _)))
        };
        assert!((0..5).any(|_| is_silent(&mut self.bench)));
    }

    fn flash_qdl(&mut self, starts_in_dload: bool, files: &[Vec<u8>]) {
        use modem_protocol::qdl::message::Request;
        if starts_in_dload {
            let _ = self.bench.ask(&Request::SwitchToStreaming { flags: 0 }.frame());
        }
        let _ = self.bench.qdl_hello();
        for file in files {
            let _ = self.bench.qdl_open(file);
            for (sequence, chunk) in file[400..].chunks(1024 * 1024).enumerate() {
                let _ = self.bench.qdl_write(u16::try_from(sequence).unwrap(), chunk);
            }
            let _ = self.bench.qdl(&Request::Done);
            let _ = self.bench.qdl_hello();
        }
        self.bench.send(&Request::Reset.frame());
    }
}

fn attached(bench: &mut Bench) -> Layout {
    match bench.modem.poll(bench.now) {
        Output::Attach(Appearance { device, layout }) => {
            bench.seen.push((device.id(), device.interfaces.unwrap()));
            layout
        }
        other => panic!("{other:?}"),
    }
}

/// The files of an update, small: their bytes, the largest first.
pub fn update_for(family: &Family) -> Vec<Vec<u8>> {
    let wishes = Wishes {
        seed: 3,
        size: Some(60_000),
        carrier: None,
    };
    let files = usual_files(family, wishes).unwrap();
    files.iter().map(|file| file.to_vec()).collect()
}

/// The control protocols.
pub const BOTH: [ControlProtocol; 2] = [ControlProtocol::Qmi, ControlProtocol::Mbim];
