//! A simulated tenant: what an Exchange organization's remote PowerShell looks like from outside, on loopback. The server
//! halves of [`crate::psrp`] and [`crate::transport::soap`] behind HTTP, with made-up organizations and faults on demand.
//!
//! ```
//! use delegated_tenant::sim::Tenant;
//! let tenant = Tenant::builder().mailboxes(25).start()?;
//! println!("{} admin@partner.com:secret", tenant.uri());
//! assert_eq!(tenant.stats().open, 0);
//! # Ok::<(), delegated_tenant::Error>(())
//! ```

mod binder;
mod cmdlets;
mod entra;
mod faults;
mod flow;
mod formats;
mod mailbox;
mod metadata;
mod organization;
mod pipeline;
mod records;
mod rest;
mod runspace;
mod server;
mod shell;
mod surface;
mod tenant;

pub use entra::App;
pub use faults::{Fault, FaultKind, KINDS as FAULT_KINDS, Operation, REST_KINDS as REST_FAULT_KINDS};
pub use rest::ErrorShape;
pub use tenant::{Account, Builder, LimitForm, Redirect, Stats, Tenant};
