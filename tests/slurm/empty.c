/* empty: the least that a plugin of Slurm is; what it costs a step, any costs. */
#include <slurm/spank.h>

SPANK_PLUGIN(empty, 1)

int slurm_spank_init(spank_t spank, int count, char **settings)
{
	(void)spank;
	(void)count;
	(void)settings;
	return ESPANK_SUCCESS;
}
