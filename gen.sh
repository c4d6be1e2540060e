{ echo 'version = 1;'; echo 'stages = ( { name = "bench"; block_all = true; block_action="errno"; allow_calls = ['; $1/bench/allow names | sed 's/.*/"&",/' | sed '$s/,$//'; echo ']; } );'; } 
