//! Forbidden hours: the only policy that asks what time it is. It warns, and decides nothing.

use crate::cli::output::Printer;
use crate::config::Settings;
use crate::plan::Plan;
use crate::plan::policy::ForbiddenHours;

/// Warns if it is now a time at which what the plan does should not be done.
pub fn warn(plan: &Plan, settings: &Settings, printer: &Printer) {
    let now = jiff::Timestamp::now();
    for text in warnings(plan, &settings.policies.forbidden_hours, now) {
        printer.note(&text);
    }
}

fn warnings(plan: &Plan, hours: &[ForbiddenHours], now: jiff::Timestamp) -> Vec<String> {
    let effects = plan.effects_on_nodes();
    let warning = |hours: &ForbiddenHours| {
        let reached = effects.values().filter(|e| **e >= hours.effect).count();
        // The settings were checked; an unknown zone could not be told from a wrong one here.
        let local = now.in_tz(&hours.zone).ok()?;
        let weekday = u8::try_from(local.weekday().to_monday_zero_offset()).ok()?;
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        (reached > 0 && hours.hold(weekday, minute)).then(|| {
            let why = if hours.reason.is_empty() { String::new() } else { format!(" ({})", hours.reason) };
            format!(
                "warning: it is {:02}:{:02} in {}, within forbidden hours ({}){why}, and the plan has {} with effect {} or higher",
                local.hour(),
                local.minute(),
                hours.zone,
                hours.shown(),
                if reached == 1 { "1 node".to_owned() } else { format!("{reached} nodes") },
                hours.effect
            )
        })
    };
    hours.iter().filter_map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{ActionKind, Effect};
    use crate::plan::testing;

    fn hours(days: &[u8], from: u16, to: u16) -> ForbiddenHours {
        ForbiddenHours { effect: Effect::Reboot, zone: "Europe/Berlin".into(), days: days.to_vec(), from, to, reason: "trading".into() }
    }

    fn at(text: &str) -> jiff::Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_are_those_of_the_named_zone_on_either_side_of_the_change_of_clocks() {
        let mut deploy = testing::action("a", ActionKind::DeployNode, Some("r1-n1"), &[]);
        deploy.effect = Effect::Redeploy;
        let plan = testing::plan(vec![deploy]);
        let weekdays = hours(&[0, 1, 2, 3, 4], 8 * 60, 18 * 60);
        let said = |now: &str| warnings(&plan, std::slice::from_ref(&weekdays), at(now));
        // A Monday in winter (UTC+1) and one in summer (UTC+2).
        assert_eq!(said("2026-01-12T06:59:00Z"), [""; 0]);
        assert_eq!(
            said("2026-01-12T07:00:00Z"),
            [
                "warning: it is 08:00 in Europe/Berlin, within forbidden hours (08:00 to 18:00 on mon, tue, wed, thu, fri, Europe/Berlin) (trading), and the plan has 1 node with effect reboot or higher"
            ]
        );
        assert_eq!(said("2026-07-13T06:00:00Z").len(), 1);
        assert_eq!(said("2026-07-13T16:00:00Z"), [""; 0]);
        assert_eq!(said("2026-01-11T10:00:00Z"), [""; 0], "a Sunday");
        let harmless = testing::plan(vec![testing::action("a", ActionKind::ApplyNodePlatform, Some("r1-n1"), &[])]);
        assert_eq!(warnings(&harmless, &[weekdays], at("2026-01-12T09:00:00Z")), [""; 0]);
    }

    #[test]
    fn hours_may_reach_over_midnight() {
        let friday_night = hours(&[4], 22 * 60, 6 * 60);
        assert!(friday_night.hold(4, 22 * 60) && friday_night.hold(5, 0) && friday_night.hold(5, 6 * 60 - 1));
        assert!(!friday_night.hold(5, 6 * 60) && !friday_night.hold(4, 5 * 60) && !friday_night.hold(5, 23 * 60));
    }
}
