//! Addresses of folders on other machines, as people write them: a folder of a share, and a folder of a machine with an agent.
//!
//! Pure: nothing here looks a name up or connects. No address holds a password.

mod agent;
mod share;

pub use agent::{AGENT_PORT, AgentAddress, check_host_name, is_agent_address};
pub use share::{SMB_PORT, SmbAddress, is_share_address};
