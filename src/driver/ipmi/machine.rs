//! One BMC: which command is which question or order.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::answer::{self, Fru};
use super::options::BootMode;
use super::tool::Line;
use crate::action::params::BootTarget;
use crate::build::{Bmc, BmcHealth};
use crate::driver::level::{Boot, Managed, Verb, Way};
use crate::driver::power::Power;
use crate::driver::{DriverError, ErrorClass};

/// Events that are read of the log.
const EVENTS: &str = "10";

/// One BMC.
pub(in crate::driver) struct IpmiMachine {
    pub(super) line: Line,
    pub(super) mode: BootMode,
    /// The FRU inventory, with the GUID of the board that it was read of: it is slow to read.
    pub(super) fru: Mutex<Option<(String, Fru)>>,
}

impl IpmiMachine {
    /// Asks for what a BMC may lack.
    async fn optional(&self, command: &[&str]) -> Result<String, DriverError> {
        match self.line.command(command).await {
            Err(e) if e.class == ErrorClass::Rejected => Ok(String::new()),
            answer => answer,
        }
    }

    /// A BMC forgets boot flags after a minute in which nobody switches power (IPMI 2.0, table 28-14, parameter 3), and a graceful shutdown takes
    /// longer: asks it not to. Not every BMC lets it be.
    async fn keep_boot_flags(&self) -> Result<(), DriverError> {
        match self.line.command(&["raw", "0x00", "0x08", "0x03", "0x08"]).await {
            Err(e) if e.class == ErrorClass::Rejected || e.message.contains("rsp=0x") => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn guid(&self) -> Result<Option<String>, DriverError> {
        // Get System GUID: netFn App, command 37h.
        Ok(answer::guid(&answer::raw(&self.optional(&["raw", "0x06", "0x37"]).await?)))
    }

    async fn fru(&self, guid: Option<&str>) -> Result<Fru, DriverError> {
        let known = self.fru.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(guid), Some((of, fru))) = (guid, known)
            && guid == of
        {
            return Ok(fru);
        }
        let text = match self.line.command(&["fru", "print", "0"]).await {
            Ok(text) => text,
            // The tool fails without a word that tells an absent inventory from an unreadable one; the BMC has just answered otherwise.
            Err(e) if matches!(e.class, ErrorClass::Rejected | ErrorClass::Transient) && e.message.contains("Device not present") => {
                String::new()
            }
            Err(e) if e.class == ErrorClass::Rejected => String::new(),
            Err(e) => return Err(e),
        };
        let fru = answer::fru(&text);
        if let Some(guid) = guid {
            *self.fru.lock().unwrap_or_else(PoisonError::into_inner) = Some((guid.to_owned(), fru.clone()));
        }
        Ok(fru)
    }
}

#[async_trait]
impl Managed for IpmiMachine {
    const BOOT_WAYS: usize = 2;

    fn context(&self) -> String {
        self.line.context()
    }

    async fn power(&self) -> Result<Power, DriverError> {
        Ok(answer::power(&self.line.command(&["chassis", "power", "status"]).await?))
    }

    async fn boot(&self) -> Result<Boot, DriverError> {
        let text = self.line.command(&["chassis", "bootparam", "get", "5"]).await?;
        answer::boot(&text).ok_or_else(|| {
            self.line
                .error(ErrorClass::NotReady, "the BMC does not show its boot flags")
                .hint("it may still be starting; it is tried again")
        })
    }

    async fn identity(&self) -> Result<Bmc, DriverError> {
        let guid = self.guid().await?;
        let fru = self.fru(guid.as_deref()).await?;
        let unread = Bmc::unread(super::driver::NAME, self.line.endpoint.address.clone(), "chassis".to_owned());
        Ok(Bmc { guid, serial: fru.serial, manufacturer: fru.manufacturer, model: fru.model, ..unread })
    }

    async fn switch(&self, verb: Verb) -> Result<(), DriverError> {
        let word = match verb {
            Verb::On => "on",
            Verb::Off => "off",
            Verb::Shutdown => "soft",
        };
        self.line.command(&["chassis", "power", word]).await.map(drop)
    }

    async fn set_boot(&self, target: BootTarget, way: usize) -> Result<Way, DriverError> {
        let efi = self.mode == BootMode::Uefi;
        if way == 0 {
            self.keep_boot_flags().await?;
        }
        let (device, options) = match (target, way) {
            (BootTarget::Pxe, 0) if efi => ("pxe", Some("options=efiboot")),
            (BootTarget::Pxe, 0) => ("pxe", None),
            (BootTarget::Pxe, _) if efi => ("pxe", Some("options=efiboot,persistent")),
            (BootTarget::Pxe, _) => ("pxe", Some("options=persistent")),
            (BootTarget::Disk, 0) => ("none", None),
            (BootTarget::Disk, _) if efi => ("disk", Some("options=efiboot,persistent")),
            (BootTarget::Disk, _) => ("disk", Some("options=persistent")),
        };
        let command: Vec<&str> = ["chassis", "bootdev", device].into_iter().chain(options).collect();
        match self.line.command(&command).await {
            // BMCs refuse an option with whatever completion code they like; then the next way is tried.
            Err(e) if e.class == ErrorClass::Rejected => Ok(Way::Refused(e)),
            Err(e) if e.class == ErrorClass::Transient && e.message.contains("Set Chassis Boot Parameter") => Ok(Way::Refused(e)),
            answer => answer.map(|_| Way::Taken),
        }
    }

    async fn health(&self) -> Result<BmcHealth, DriverError> {
        let info = self.line.command(&["mc", "info"]).await?;
        // Get SDR Repository Info: netFn Storage, command 20h. On an empty repository the tool would write one.
        let records = answer::sensor_records(&answer::raw(&self.optional(&["raw", "0x0a", "0x20"]).await?));
        let sensors = if records > 0 { answer::sensors(&self.optional(&["sdr", "elist"]).await?) } else { Vec::new() };
        let events = answer::events(&self.optional(&["sel", "list", "last", EVENTS]).await?);
        Ok(BmcHealth { firmware: answer::firmware(&info), sensors, events })
    }
    async fn clock(&self) -> Result<Option<i64>, DriverError> {
        // Get SEL Time: netFn Storage, command 48h.
        let bytes = answer::raw(&self.optional(&["raw", "0x0a", "0x48"]).await?);
        let ours = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        Ok(answer::clock_offset_ms(&bytes, ours))
    }

    async fn program(&self) -> Result<Option<String>, DriverError> {
        self.line.version().await.map(Some)
    }
}
