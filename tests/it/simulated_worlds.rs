//! One simulated world is told from another.

use super::cli_support::Folder;

#[test]
fn a_plan_for_one_world_is_refused_on_another() {
    let site = Folder::hello();
    site.run(&["plan", "--out", "plan.json", "-q"]).expect(0);
    std::fs::remove_dir_all(site.path().join(".drydock")).unwrap();
    site.edit("drydock.yaml", "seed: 1", "seed: 2");
    site.run(&["apply", "plan.json"]).expect(6).says(&["the plan was made with maas at the simulated site", "now the simulated site"]);
    // The same world, generated anew, is the same.
    std::fs::remove_dir_all(site.path().join(".drydock")).unwrap();
    site.edit("drydock.yaml", "seed: 2", "seed: 1");
    site.run(&["apply", "plan.json", "-q"]).expect(0);
}
