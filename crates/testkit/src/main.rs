//! t
fn main() {
    let mut plan = fargateer_testkit::Plan::default();
    plan.seed = 1;
    plan.steps = vec![fargateer_testkit::plan::Step { at: 0, act: fargateer_testkit::plan::Act::Write(fargateer_testkit::Agent::named("bot").scaled(1,3).behind_the_load_balancer().document()) }];
    let t = std::time::Instant::now();
    let mut o = fargateer_testkit::run(&plan);
    println!("{:?} {:?}", t.elapsed(), o.violations);
    let t = std::time::Instant::now();
    for i in 0..200 { plan.seed = i; o = fargateer_testkit::run(&plan); if !o.is_good() {println!("{i} {:?}", o.violations)} }
    println!("{:?}", t.elapsed());
    println!("{}", serde_json::to_string(&o).unwrap());
}
