"""cuba_nest, cuba_brian, coba, hh_coba in NEST, as in its examples brette_et_al_2007."""
import nest

import models
import nest_kernel
import peer

args = peer.arguments(*models.VOGELS_ABBOTT)
m = models.VOGELS_ABBOTT[args.workload]
start = nest_kernel.begin(args)
E, I = (nest.Create(m["model"], n, params=m["parameters"]) for n in (models.NE, models.NI))
if args.workload == "cuba_brian":
    (E + I).V_m = nest.random.uniform(m["parameters"]["V_reset"], m["parameters"]["V_th"])
for source, degree, weight in ((E, models.CE, m["weights"][0]), (I, models.CI, m["weights"][1])):
    rule = {"rule": "fixed_indegree", "indegree": degree} if m["rule"] == "fixed_indegree" else {"rule": "pairwise_bernoulli", "p": 0.02}
    name = "excitatory" if source is E else "inhibitory"
    nest.CopyModel("static_synapse_hom_w", name, {"weight": weight, "delay": models.DELAY})  # one weight for all: leaner than the example's, and faster
    nest.Connect(source, E + I, rule, name)
if m["kick"]:
    kick = nest.Create("poisson_generator", params={"rate": models.KICK_RATE, "start": models.KICK_BEGIN, "stop": models.KICK_END})
    nest.Connect(kick, E[:models.KICKED], syn_spec={"weight": m["weights"][0], "delay": models.DELAY})
nest_kernel.simulate(args, start, nest_kernel.record(args, {"E": E, "I": I}), m["time"], models.KICKED if m["kick"] else 0)
